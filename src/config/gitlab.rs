//! From raw to checked: a `[[gitlab]]`.

use super::check::Checker;
use super::checked::{GitLab, MergeRequestApproval};
use super::forges::{Forge, Kind, NO_PROOF};
use super::platforms::Platforms;
use super::raw::RawGitLab;
use super::secret::Source;
use super::sheet::{Field, Items};
use crate::domain::id::ForgeName;
use crate::domain::policy::VoteAs;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::SignedDuration;
use secrecy::{ExposeSecret as _, SecretString};
use std::ops::Range;
use toml::Spanned;

const GITLAB_NAME: &str = "gitlab";
const POLL: SignedDuration = SignedDuration::from_secs(60);

impl Checker<'_> {
    pub(super) fn gitlab(&mut self, raw: Spanned<RawGitLab>, platforms: &mut Platforms) -> Option<GitLab> {
        let at = raw.span();
        let raw = raw.into_inner();
        let name = self.platform_name(raw.name, GITLAB_NAME, &at, platforms).map(ForgeName::new);
        let vote_as = self.vote_as(raw.vote_as);
        platforms.forges.push(Forge { name: name.clone(), kind: Kind::GitLab { vote_as }, at: at.clone() });
        let url = self.required(raw.url, &at, "url").and_then(|url| self.web_address(&url, "https://gitlab.example.com"));
        let token = self.required(raw.token, &at, "token").and_then(|token| self.header_secret(&token));
        self.sudo_token_fits(&raw.sudo_token, vote_as, &at);
        let sudo_token =
            self.or(raw.sudo_token, None, |checker, token| checker.header_secret(token).map(Some));
        self.some_webhook_token(&raw.signing_tokens, &raw.secret_tokens, &at);
        let signing_tokens = self.secrets(raw.signing_tokens, Self::signing_token);
        let secret_tokens = self.secrets(raw.secret_tokens, Self::header_secret);
        let answers = [("hint", MergeRequestApproval::Hint), ("ignore", MergeRequestApproval::Ignore)];
        let merge_request_approval = self.choice(raw.merge_request_approval, &answers);
        let poll = self.or(raw.poll, POLL, Self::poll);
        Some(GitLab {
            name: name?,
            url: url?,
            token: token?,
            sudo_token: sudo_token?,
            signing_tokens: signing_tokens?,
            secret_tokens: secret_tokens?,
            vote_as: vote_as?,
            merge_request_approval: merge_request_approval?,
            poll: poll?,
        })
    }

    fn vote_as(&mut self, field: Field<String>) -> Option<VoteAs> {
        if let Field::Given(word) = &field
            && word.get_ref() == "user"
        {
            let title = "this version can't vote with people's own OAuth tokens";
            self.sheet.fault(word.span(), title, "write \"bot\" or \"sudo\"");
            return None;
        }
        self.choice(field, &[("bot", VoteAs::Bot), ("sudo", VoteAs::Sudo)])
    }

    fn sudo_token_fits(&mut self, field: &Field<Source>, vote_as: Option<VoteAs>, at: &Range<usize>) {
        match (vote_as, field) {
            (Some(VoteAs::Sudo), Field::Absent) => {
                let help = "add `sudo_token`, an administrator's token with the scope `sudo`";
                self.sheet.fault(at.clone(), "`vote_as = \"sudo\"` needs a `sudo_token`", help);
            }
            (Some(VoteAs::Bot), Field::Given(token)) => {
                let help =
                    "remove it, or write `vote_as = \"sudo\"`: so strong a token shouldn't lie about unused";
                self.sheet.fault(token.span(), "`sudo_token` is used by `vote_as = \"sudo\"` only", help);
            }
            (Some(VoteAs::Sudo), Field::Given(_) | Field::Broken)
            | (Some(VoteAs::Bot), Field::Absent | Field::Broken)
            | (None, _) => {}
        }
    }

    fn some_webhook_token(
        &mut self,
        signing: &Field<Items<Source>>,
        plain: &Field<Items<Source>>,
        at: &Range<usize>,
    ) {
        if signing.is_empty() && plain.is_empty() {
            let help = "add `signing_tokens` (GitLab 19.0 and later) or `secret_tokens` (every version)";
            self.sheet.fault(at.clone(), NO_PROOF, help);
        }
    }

    fn signing_token(&mut self, source: &Spanned<Source>) -> Option<SecretString> {
        let span = source.span();
        let secret = self.secret(source)?;
        let key = secret.expose_secret().strip_prefix("whsec_").map(|key| STANDARD.decode(key));
        if key.is_some_and(|key| key.is_ok_and(|key| !key.is_empty())) {
            return Some(secret);
        }
        let help = "GitLab takes `whsec_` and base64 of 32 random bytes; other tokens go to `secret_tokens`";
        self.sheet.fault(span, "a signing token is `whsec_` followed by base64", help);
        None
    }
}

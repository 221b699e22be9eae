//! The ledger: what is sealed stays readable, and nothing sealed can be changed unseen.

use super::*;
use crate::domain::id::{DeploymentId, ForgeName, Native, Place, ProjectId};
use crate::domain::ledger::{Broken, Entry, FORMAT, Hold, Outcome, Sealed, Undone, open, seal, verify};
use crate::domain::policy::Gate;
use proptest::prelude::*;

/// One entry of every kind.
pub(super) mod entries {
    use super::super::*;
    use crate::domain::deployment::Description;
    use crate::domain::id::{
        CommentKind, CommentRef, Conversation, DeploymentId, ForgeName, Native, Place, Project, ProjectId,
    };
    use crate::domain::ledger::{Entry, RuleStanding, Undone};
    use crate::domain::policy::Gate;

    pub(in super::super) fn conversation() -> Conversation {
        let forge = ForgeName::new("gitlab");
        Conversation { forge, project: ProjectId(42), place: Place::MergeRequest(7) }
    }

    pub(in super::super) fn standing(filled_by: &[i64]) -> Vec<RuleStanding> {
        let filled_by = filled_by.iter().copied().map(account).collect();
        vec![RuleStanding { grantees: vec![sre()], required: 1, filled_by }]
    }

    pub(in super::super) fn opened() -> Entry {
        let forge = ForgeName::new("gitlab");
        let description = Description {
            id: DeploymentId::new(&forge, ProjectId(42), &Native::new("4711")),
            forge,
            project: Project { id: ProjectId(42), path: "acme/shop".to_owned() },
            native: Native::new("4711"),
            round: 1,
            number: 4711,
            order: 4711,
            environment: "production".to_owned(),
            sha: "9f1c2d3e4f5a6b7c8d9e0f1a2b3c4d5e6f7a8b9c".to_owned(),
            ref_name: "main".to_owned(),
            title: Some("Sell \"pears\" too".to_owned()),
            run: 900,
            job_name: None,
            url: None,
            created_at: minute(0),
            blocked_at: minute(1),
            gate: Gate::Native,
            creators: Creators { started_by: vec![account(DANA)], stand_ins: unread() },
            conversation: Some(conversation()),
            notify: None,
            within_reach: Some(true),
        };
        Entry::Opened { description: Box::new(description), standing: standing(&[]) }
    }

    pub(in super::super) fn voted() -> Entry {
        let comment = CommentRef {
            conversation: conversation(),
            kind: CommentKind::Comment,
            comment: 31,
            discussion: Some("6a9c".to_owned()),
        };
        let mut vote = vote(account(ALICE), Word::Approved, 2);
        vote.reason = Some("Grüße".to_owned());
        vote.source = Source::Comment { comment, line: 0 };
        Entry::Voted { vote, policy: "ab".repeat(32), standing: standing(&[ALICE]) }
    }

    pub(in super::super) fn releasing() -> Entry {
        Entry::Releasing { approvers: vec![account(ALICE)], policy: "ab".repeat(32) }
    }

    pub(in super::super) fn undone(why: Undone) -> Entry {
        Entry::ReleaseUndone { why, standing: standing(&[]) }
    }

    pub(in super::super) fn rejecting() -> Entry {
        Entry::Rejecting { by: account(BOB), policy: "ab".repeat(32) }
    }

    pub(in super::super) fn placed() -> Entry {
        Entry::Placed { conversation: conversation() }
    }
}

pub(super) fn settled(outcome: Outcome) -> Entry {
    Entry::Settled { outcome }
}

fn outcomes() -> Vec<Outcome> {
    vec![
        Outcome::Waiting(Hold::StartByHand),
        Outcome::Waiting(Hold::OtherRules),
        Outcome::Waiting(Hold::StartRefused),
        Outcome::Waiting(Hold::VoteRefused),
        Outcome::Started,
        Outcome::StartedBy(Some(account(BOB))),
        Outcome::StartedBy(None),
        Outcome::Deployed,
        Outcome::Failed,
        Outcome::Rejected,
        Outcome::Cancelled,
        Outcome::AskedAgain,
        Outcome::Strayed,
        Outcome::Bypassed(Some(account(MALLORY))),
        Outcome::Bypassed(None),
        Outcome::Gone,
    ]
}

fn every_kind() -> Vec<Entry> {
    let mut all = vec![
        entries::opened(),
        entries::voted(),
        entries::releasing(),
        entries::undone(Undone::NoLongerApproved),
        entries::undone(Undone::Revoked),
        entries::rejecting(),
        Entry::Superseded,
        entries::placed(),
    ];
    all.extend(outcomes().into_iter().map(settled));
    all
}

fn deployment() -> DeploymentId {
    DeploymentId::new(&ForgeName::new("gitlab"), ProjectId(42), &Native::new("4711"))
}

fn chain() -> Vec<Sealed> {
    let mut chain: Vec<Sealed> = Vec::new();
    for (at, entry) in (0..).zip(every_kind()) {
        let next = seal(&deployment(), chain.last(), minute(at), &entry).unwrap();
        chain.push(next);
    }
    chain
}

fn check(deployment: &DeploymentId, chain: &[Sealed]) -> Result<(), Broken> {
    let mut previous = None;
    for entry in chain {
        verify(deployment, previous, entry)?;
        previous = Some(entry);
    }
    Ok(())
}

fn broken(seq: i64) -> Result<(), Broken> {
    Err(Broken::Hash { deployment: deployment(), seq })
}

fn missing(seq: i64) -> Result<(), Broken> {
    Err(Broken::Missing { deployment: deployment(), seq })
}

#[test]
fn what_was_sealed_is_sound_and_opens_as_it_was() {
    let chain = chain();
    assert_eq!(check(&deployment(), &chain), Ok(()));
    let opened: Vec<Entry> = chain.iter().map(|sealed| open(&deployment(), sealed).unwrap()).collect();
    assert_eq!(opened, every_kind());
    let seqs: Vec<i64> = chain.iter().map(|sealed| sealed.seq).collect();
    assert_eq!(seqs, (1..=i64::try_from(chain.len()).unwrap()).collect::<Vec<_>>());
    assert!(chain.iter().all(|sealed| sealed.format == FORMAT));
}

#[test]
fn a_chain_of_another_deployment_does_not_pass() {
    let other = DeploymentId::new(&ForgeName::new("gitlab"), ProjectId(42), &Native::new("4712"));
    assert_eq!(check(&other, &chain()), Err(Broken::Hash { deployment: other.clone(), seq: 1 }));
}

#[test]
fn a_missing_entry_is_found_where_it_is_missing() {
    for gone in 0..chain().len() - 1 {
        let mut chain = chain();
        chain.remove(gone);
        assert_eq!(check(&deployment(), &chain), missing(i64::try_from(gone).unwrap() + 1));
    }
}

#[test]
fn an_entry_taken_out_and_the_rest_renumbered_is_found() {
    let mut chain = chain();
    chain.remove(2);
    for (seq, entry) in (1..).zip(&mut chain) {
        entry.seq = seq;
    }
    assert_eq!(check(&deployment(), &chain), broken(3));
}

#[test]
fn swapped_entries_are_found() {
    for first in 0..chain().len() - 1 {
        let seq = i64::try_from(first).unwrap() + 1;
        let mut chain = chain();
        chain.swap(first, first + 1);
        assert_eq!(check(&deployment(), &chain), missing(seq));
        chain[first].seq = seq;
        chain[first + 1].seq = seq + 1;
        assert_eq!(check(&deployment(), &chain), broken(seq));
    }
}

#[test]
fn an_entry_twice_is_found() {
    let mut chain = chain();
    chain.insert(1, chain[0].clone());
    assert_eq!(check(&deployment(), &chain), missing(2));
}

#[test]
fn an_entry_resealed_in_the_middle_breaks_the_one_behind_it() {
    let mut chain = chain();
    chain[1] = seal(&deployment(), chain.first(), chain[1].at, &Entry::Superseded).unwrap();
    assert_eq!(check(&deployment(), &chain), broken(3));
}

#[test]
fn a_changed_time_or_format_is_found() {
    let mut later = chain();
    later[1].at = Timestamp::from_millisecond(later[1].at.as_millisecond() + 1).unwrap();
    assert_eq!(check(&deployment(), &later), broken(2));
    let mut reformed = chain();
    reformed[1].format += 1;
    assert_eq!(check(&deployment(), &reformed), broken(2));
}

/// Time and format, written one behind the other, have the same digits here.
#[test]
fn a_digit_moved_from_one_field_to_the_next_is_found() {
    let at = Timestamp::from_millisecond(1_800_000_000_001).unwrap();
    let mut sealed = seal(&deployment(), None, at, &Entry::Superseded).unwrap();
    sealed.at = Timestamp::from_millisecond(180_000_000_000).unwrap();
    sealed.format = 11;
    assert_eq!(check(&deployment(), &[sealed]), broken(1));
}

/// The store keeps milliseconds: what it gives back must be what was sealed.
#[test]
fn a_sealed_time_has_milliseconds_and_no_more() {
    let precise = Timestamp::from_nanosecond(1_800_000_000_123_456_789).unwrap();
    let sealed = seal(&deployment(), None, precise, &Entry::Superseded).unwrap();
    let stored = Timestamp::from_millisecond(sealed.at.as_millisecond()).unwrap();
    assert_eq!(sealed.at, stored);
}

#[test]
fn a_format_of_a_later_version_is_named_not_guessed() {
    let mut sealed = chain().swap_remove(0);
    sealed.format = FORMAT + 1;
    let expected = Broken::Format { deployment: deployment(), seq: 1, format: FORMAT + 1 };
    assert_eq!(open(&deployment(), &sealed), Err(expected));
    let unknown = Sealed { format: FORMAT, body: r#"{"kind":"hexed"}"#.to_owned(), ..sealed };
    assert!(matches!(open(&deployment(), &unknown), Err(Broken::Format { .. })));
}

proptest! {
    #[test]
    fn any_flipped_byte_of_the_text_is_found(entry in 0..every_kind().len(), byte in any::<prop::sample::Index>(), bit in 0..7_u8) {
        let mut chain = chain();
        let seq = chain[entry].seq;
        let mut bytes = chain[entry].body.clone().into_bytes();
        let byte = byte.index(bytes.len());
        bytes[byte] ^= 1 << bit;
        let Ok(body) = String::from_utf8(bytes) else { return Ok(()) };
        chain[entry].body = body;
        prop_assert_eq!(check(&deployment(), &chain), broken(seq));
    }

    #[test]
    fn any_changed_digit_of_a_hash_is_found(entry in 0..every_kind().len(), digit in 0..64_usize, bit in 0..7_u8) {
        let mut chain = chain();
        let seq = chain[entry].seq;
        let mut bytes = chain[entry].hash.clone().into_bytes();
        bytes[digit] ^= 1 << bit;
        chain[entry].hash = String::from_utf8(bytes).unwrap();
        prop_assert_eq!(check(&deployment(), &chain), broken(seq));
    }
}

/// Format 1, to the byte. If this changes, chains that were written can no longer be read: give the
/// new form a new number instead.
#[test]
fn the_canonical_form_of_format_1_stays() {
    assert_eq!(FORMAT, 1);
    let json = |entry: &Entry| serde_json::to_string(entry).unwrap();
    insta::assert_snapshot!(json(&entries::opened()), @r#"{"kind":"opened","description":{"id":"gitlab/42/4711","native":"4711","round":1,"forge":"gitlab","project":{"id":42,"path":"acme/shop"},"number":4711,"order":4711,"environment":"production","sha":"9f1c2d3e4f5a6b7c8d9e0f1a2b3c4d5e6f7a8b9c","ref_name":"main","title":"Sell \"pears\" too","run":900,"job_name":null,"url":null,"created_at":"2027-01-15T08:00:00Z","blocked_at":"2027-01-15T08:01:00Z","gate":"native","creators":{"started_by":[{"id":1,"username":"dana","bot":false}],"stand_ins":{"unknown":"502 Bad Gateway"}},"conversation":{"forge":"gitlab","project":42,"place":{"merge_request":7}},"within_reach":true},"standing":[{"grantees":[{"group":{"path":"acme/sre","inherited":false}}],"required":1,"filled_by":[]}]}"#);
    insta::assert_snapshot!(json(&entries::voted()), @r#"{"kind":"voted","vote":{"by":{"id":2,"username":"alice","bot":false},"word":"approved","at":"2027-01-15T08:02:00Z","reason":"Grüße","source":{"comment":{"comment":{"conversation":{"forge":"gitlab","project":42,"place":{"merge_request":7}},"comment":31,"discussion":"6a9c"},"line":0}}},"policy":"abababababababababababababababababababababababababababababababab","standing":[{"grantees":[{"group":{"path":"acme/sre","inherited":false}}],"required":1,"filled_by":[{"id":2,"username":"alice","bot":false}]}]}"#);
    insta::assert_snapshot!(json(&entries::releasing()), @r#"{"kind":"releasing","approvers":[{"id":2,"username":"alice","bot":false}],"policy":"abababababababababababababababababababababababababababababababab"}"#);
    insta::assert_snapshot!(json(&entries::undone(Undone::NoLongerApproved)), @r#"{"kind":"release_undone","why":"no_longer_approved","standing":[{"grantees":[{"group":{"path":"acme/sre","inherited":false}}],"required":1,"filled_by":[]}]}"#);
    insta::assert_snapshot!(json(&entries::undone(Undone::Revoked)), @r#"{"kind":"release_undone","why":"revoked","standing":[{"grantees":[{"group":{"path":"acme/sre","inherited":false}}],"required":1,"filled_by":[]}]}"#);
    insta::assert_snapshot!(json(&entries::rejecting()), @r#"{"kind":"rejecting","by":{"id":3,"username":"bob","bot":false},"policy":"abababababababababababababababababababababababababababababababab"}"#);
    insta::assert_snapshot!(json(&Entry::Superseded), @r#"{"kind":"superseded"}"#);
    insta::assert_snapshot!(json(&Entry::Asked { delivery: "d-1".to_owned() }), @r#"{"kind":"asked","delivery":"d-1"}"#);
    insta::assert_snapshot!(json(&entries::placed()), @r#"{"kind":"placed","conversation":{"forge":"gitlab","project":42,"place":{"merge_request":7}}}"#);
    let outcomes: Vec<String> = outcomes().into_iter().map(|outcome| json(&settled(outcome))).collect();
    insta::assert_snapshot!(outcomes.join("\n"), @r#"
    {"kind":"settled","outcome":{"waiting":"start_by_hand"}}
    {"kind":"settled","outcome":{"waiting":"other_rules"}}
    {"kind":"settled","outcome":{"waiting":"start_refused"}}
    {"kind":"settled","outcome":{"waiting":"vote_refused"}}
    {"kind":"settled","outcome":"started"}
    {"kind":"settled","outcome":{"started_by":{"id":3,"username":"bob","bot":false}}}
    {"kind":"settled","outcome":{"started_by":null}}
    {"kind":"settled","outcome":"deployed"}
    {"kind":"settled","outcome":"failed"}
    {"kind":"settled","outcome":"rejected"}
    {"kind":"settled","outcome":"cancelled"}
    {"kind":"settled","outcome":"asked_again"}
    {"kind":"settled","outcome":"strayed"}
    {"kind":"settled","outcome":{"bypassed":{"id":4,"username":"mallory","bot":false}}}
    {"kind":"settled","outcome":{"bypassed":null}}
    {"kind":"settled","outcome":"gone"}
    "#);
}

/// The words that the entries above don't happen to use.
#[test]
fn the_words_within_format_1_stay() {
    fn json(value: impl serde::Serialize) -> String {
        serde_json::to_string(&value).unwrap()
    }
    let words = [Word::Approved, Word::Rejected, Word::Revoked];
    assert_eq!(json(words), r#"["approved","rejected","revoked"]"#);
    assert_eq!(
        json([Gate::Native, Gate::ManualJob, Gate::ProtectionRule]),
        r#"["native","manual_job","protection_rule"]"#
    );
    assert_eq!(json(Source::Forge), r#""forge""#);
    assert_eq!(json(Source::Button { press: "p1".to_owned() }), r#"{"button":{"press":"p1"}}"#);
    assert_eq!(json(Place::Commit("9f1c".to_owned())), r#"{"commit":"9f1c"}"#);
    assert_eq!(json(Known::Fact(true)), r#"{"fact":true}"#);
    assert_eq!(json(Grantee::User("dana".to_owned())), r#"{"user":"dana"}"#);
    assert_eq!(json(Grantee::UserId(UserId(1))), r#"{"user_id":1}"#);
    assert_eq!(
        json(Grantee::GroupId { id: 9, inherited: true }),
        r#"{"group_id":{"id":9,"inherited":true}}"#
    );
    assert_eq!(json(Grantee::AccessLevel(40)), r#"{"access_level":40}"#);
}

/// The recipe of the hash is part of the format too.
#[test]
fn the_hashes_of_format_1_stay() {
    let chain = chain();
    insta::assert_snapshot!(chain[0].hash, @"312cdae4efd22237071a6fbaef10ef0a4e2c60ee532d5b353c058f3b1e188ea6");
    insta::assert_snapshot!(chain[1].hash, @"3fc8c6b75737a77aaa7b3aba7f53e7fe2123b04021816b42732a7691706f6e5b");
}

//! Addresses from which the number of a run has to be read, because it stands nowhere else. One that differs in
//! anything from what GitHub writes is not believed; nothing is ever sent to any of them.

use super::decimal::positive;

/// The run of a `deployment_callback_url`:
/// `{api}/repos/{owner}/{name}/actions/runs/{run}/deployment_protection_rule`, where `api` is the API's address
/// without a slash at its end, and owner and name are those of `full_name`, whatever their case.
pub(super) fn of_callback(url: &str, api: &str, full_name: &str) -> Option<i64> {
    let (owner, name) = full_name.split_once('/').filter(|(owner, name)| is_name(owner) && is_name(name))?;
    let path: Vec<&str> = url.strip_prefix(api)?.splitn(9, '/').collect();
    let ["", "repos", its_owner, its_name, "actions", "runs", run, "deployment_protection_rule"] = *path
    else {
        return None;
    };
    let same = its_owner.eq_ignore_ascii_case(owner) && its_name.eq_ignore_ascii_case(name);
    positive(run).filter(|_| same)
}

/// The run of a page: `{repository}/actions/runs/{run}`, perhaps with `/job/{job}` behind it. `repository` is the
/// page of the repository.
pub(super) fn of_page(url: &str, repository: &str) -> Option<i64> {
    let path: Vec<&str> = url.strip_prefix(repository)?.splitn(7, '/').collect();
    match *path {
        ["", "actions", "runs", run] => positive(run),
        ["", "actions", "runs", run, "job", job] => positive(run).filter(|_| positive(job).is_some()),
        _ => None,
    }
}

fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !matches!(name, "" | "." | "..") && name.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const API: &str = "https://api.github.com";

    #[rstest]
    #[case(
        API,
        "acme/shop",
        "https://api.github.com/repos/acme/shop/actions/runs/12/deployment_protection_rule"
    )]
    #[case(
        API,
        "Acme/Shop",
        "https://api.github.com/repos/acme/shop/actions/runs/12/deployment_protection_rule"
    )]
    #[case(
        API,
        "a-b/c_d.e",
        "https://api.github.com/repos/A-B/c_d.e/actions/runs/12/deployment_protection_rule"
    )]
    #[case(
        "https://github.example/api/v3",
        "acme/shop",
        "https://github.example/api/v3/repos/acme/shop/actions/runs/12/deployment_protection_rule"
    )]
    #[case(
        "http://127.0.0.1:4000",
        "acme/shop",
        "http://127.0.0.1:4000/repos/acme/shop/actions/runs/12/deployment_protection_rule"
    )]
    fn a_callback_tells_its_run(#[case] api: &str, #[case] full_name: &str, #[case] url: &str) {
        assert_eq!(of_callback(url, api, full_name), Some(12));
    }

    #[rstest]
    #[case::another_host("https://evil.example/repos/acme/shop/actions/runs/12/deployment_protection_rule")]
    #[case::host_goes_on(
        "https://api.github.com.evil.example/repos/acme/shop/actions/runs/12/deployment_protection_rule"
    )]
    #[case::host_is_a_user(
        "https://api.github.com@evil.example/repos/acme/shop/actions/runs/12/deployment_protection_rule"
    )]
    #[case::credentials(
        "https://mallory:x@api.github.com/repos/acme/shop/actions/runs/12/deployment_protection_rule"
    )]
    #[case::a_port("https://api.github.com:444/repos/acme/shop/actions/runs/12/deployment_protection_rule")]
    #[case::scheme("http://api.github.com/repos/acme/shop/actions/runs/12/deployment_protection_rule")]
    #[case::no_scheme("//api.github.com/repos/acme/shop/actions/runs/12/deployment_protection_rule")]
    #[case::a_path_in_front(
        "https://api.github.com/x/repos/acme/shop/actions/runs/12/deployment_protection_rule"
    )]
    #[case::another_owner(
        "https://api.github.com/repos/evil/shop/actions/runs/12/deployment_protection_rule"
    )]
    #[case::another_name(
        "https://api.github.com/repos/acme/shop2/actions/runs/12/deployment_protection_rule"
    )]
    #[case::query("https://api.github.com/repos/acme/shop/actions/runs/12/deployment_protection_rule?x=1")]
    #[case::fragment("https://api.github.com/repos/acme/shop/actions/runs/12/deployment_protection_rule#x")]
    #[case::a_slash_behind(
        "https://api.github.com/repos/acme/shop/actions/runs/12/deployment_protection_rule/"
    )]
    #[case::more_behind(
        "https://api.github.com/repos/acme/shop/actions/runs/12/deployment_protection_rule/a/b/c"
    )]
    #[case::doubled_slash(
        "https://api.github.com//repos/acme/shop/actions/runs/12/deployment_protection_rule"
    )]
    #[case::dots("https://api.github.com/repos/evil/../acme/shop/actions/runs/12/deployment_protection_rule")]
    #[case::a_dot("https://api.github.com/./repos/acme/shop/actions/runs/12/deployment_protection_rule")]
    #[case::escaped("https://api.github.com/repos/acme%2fshop/actions/runs/12/deployment_protection_rule")]
    #[case::escaped_letter(
        "https://api.github.com/repos/acme/%73hop/actions/runs/12/deployment_protection_rule"
    )]
    #[case::backslash("https://api.github.com\\repos/acme/shop/actions/runs/12/deployment_protection_rule")]
    #[case::a_blank("https://api.github.com/repos/acme/shop/actions/runs/12/deployment_protection_rule ")]
    #[case::a_line("https://api.github.com/repos/acme/shop/actions/runs/12\n/deployment_protection_rule")]
    #[case::no_number("https://api.github.com/repos/acme/shop/actions/runs//deployment_protection_rule")]
    #[case::nought("https://api.github.com/repos/acme/shop/actions/runs/0/deployment_protection_rule")]
    #[case::signed("https://api.github.com/repos/acme/shop/actions/runs/+12/deployment_protection_rule")]
    #[case::too_big(
        "https://api.github.com/repos/acme/shop/actions/runs/9223372036854775808/deployment_protection_rule"
    )]
    #[case::another_end("https://api.github.com/repos/acme/shop/actions/runs/12/pending_deployments")]
    #[case::no_end("https://api.github.com/repos/acme/shop/actions/runs/12")]
    #[case::nothing("")]
    fn another_address_is_not_believed(#[case] url: &str) {
        assert_eq!(of_callback(url, API, "acme/shop"), None);
    }

    #[rstest]
    #[case("..", "https://api.github.com/repos/../actions/runs/12/deployment_protection_rule")]
    #[case("../..", "https://api.github.com/repos/../../actions/runs/12/deployment_protection_rule")]
    #[case("a/b/c", "https://api.github.com/repos/a/b/c/actions/runs/12/deployment_protection_rule")]
    #[case("a?/b", "https://api.github.com/repos/a?/b/actions/runs/12/deployment_protection_rule")]
    #[case("a%2f/b", "https://api.github.com/repos/a%2f/b/actions/runs/12/deployment_protection_rule")]
    #[case("/b", "https://api.github.com/repos//b/actions/runs/12/deployment_protection_rule")]
    fn a_name_that_no_repository_has_is_not_believed_either(#[case] full_name: &str, #[case] url: &str) {
        assert_eq!(of_callback(url, API, full_name), None);
    }

    #[rstest]
    #[case("https://github.com/acme/shop/actions/runs/12", Some(12))]
    #[case("https://github.com/acme/shop/actions/runs/12/job/34", Some(12))]
    #[case("https://github.com/acme/shop/actions/runs/12/job/x", None)]
    #[case("https://github.com/acme/shop/actions/runs/12/job/34/more", None)]
    #[case("https://github.com/acme/shop/actions/runs/12/", None)]
    #[case("https://github.com/acme/shop/actions/runs/12?x=1", None)]
    #[case("https://github.com/acme/shop/runs/12?check_suite_focus=true", None)]
    #[case("https://github.com/acme/shop2/actions/runs/12", None)]
    #[case("https://ci.example/builds/12", None)]
    #[case("", None)]
    fn a_page_tells_its_run(#[case] url: &str, #[case] run: Option<i64>) {
        assert_eq!(of_page(url, "https://github.com/acme/shop"), run);
    }
}

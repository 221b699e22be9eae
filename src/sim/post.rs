//! Hooks on their way out.

use std::time::Duration;

/// Forges wait this long for a hook's answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The client for hooks: straight to the address, no proxy.
pub(super) fn client() -> Option<reqwest::Client> {
    let none = reqwest::redirect::Policy::none();
    reqwest::Client::builder().no_proxy().timeout(TIMEOUT).redirect(none).build().ok()
}

/// Sends one hook, and returns the answer's status if one came.
#[expect(clippy::disallowed_methods, reason = "the twin shares no code with the product's own client")]
pub(super) async fn send(
    client: Option<&reqwest::Client>,
    url: &str,
    headers: &[(String, String)],
    body: &str,
) -> Option<u16> {
    let request = client?.post(url).body(body.to_owned());
    let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
    Some(request.send().await.ok()?.status().as_u16())
}

//! What only Mattermost has: buttons that call back with nothing but what we have sealed into them.

use super::Doctor;
use crate::config::Mattermost;
use url::Host;

impl Doctor<'_> {
    pub(super) fn mattermost(&mut self, settings: &Mattermost) {
        let url = &settings.public_url;
        let stays_here = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        if url.scheme() == "http" && !stays_here {
            let text = format!(
                "{}: `public_url` is plain http: whoever can listen on the way learns the command's token and can act in \
                 the name of others",
                self.name()
            );
            self.report.warn(text, "put TLS in front of the server, and write https");
        }
    }
}

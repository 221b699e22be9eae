//! Who acts.

use serde::Deserialize;

/// Who acts, on either forge and in the chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Person {
    /// Writes code, and opened both requests.
    Dana,
    /// A maintainer and approver.
    Alice,
    /// A maintainer and approver, who administers the repository on GitHub.
    Bob,
    /// Reads, and is named by no policy.
    Mallory,
}

impl Person {
    /// Everybody, in the order of the story.
    pub(crate) const ALL: [Self; 4] = [Self::Dana, Self::Alice, Self::Bob, Self::Mallory];

    /// The account's name on either forge.
    pub(crate) fn username(self) -> &'static str {
        match self {
            Self::Dana => "dana",
            Self::Alice => "alice",
            Self::Bob => "bob",
            Self::Mallory => "mallory",
        }
    }

    /// The name as a person bears it.
    pub(crate) fn full_name(self) -> &'static str {
        match self {
            Self::Dana => "Dana",
            Self::Alice => "Alice",
            Self::Bob => "Bob",
            Self::Mallory => "Mallory",
        }
    }

    /// The first letter, for the picture.
    pub(crate) fn initial(self) -> &'static str {
        match self {
            Self::Dana => "D",
            Self::Alice => "A",
            Self::Bob => "B",
            Self::Mallory => "M",
        }
    }

    /// What they are to the project, in a few words.
    pub(crate) fn role(self) -> &'static str {
        match self {
            Self::Dana => "dana writes code, and opened both requests.",
            Self::Alice => "alice is a maintainer and may approve.",
            Self::Bob => "bob is a maintainer and may approve; on GitHub he is an administrator too.",
            Self::Mallory => {
                "mallory may read and comment; no policy names her, and nobody has linked her Slack account."
            }
        }
    }

    /// Whether the configuration links their account in the chat to those on the forges.
    pub(crate) fn is_linked(self) -> bool {
        match self {
            Self::Dana | Self::Alice | Self::Bob => true,
            Self::Mallory => false,
        }
    }

    /// Whether the policy of every environment names them.
    pub(crate) fn approves(self) -> bool {
        match self {
            Self::Alice | Self::Bob => true,
            Self::Dana | Self::Mallory => false,
        }
    }
}

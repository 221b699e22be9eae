//! The card of a conversation: which deployments it shows, and how they are grouped. Computed anew
//! from the ledger whenever it is delivered.

use super::deployment::Deployment;

/// What a card shows: a section for each environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card<'a> {
    /// Sections, by environment name.
    pub sections: Vec<Section<'a>>,
}

/// One environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section<'a> {
    /// Its name.
    pub environment: &'a str,
    /// The deployments of the newest run: siblings, a line each, by number.
    pub newest: Vec<&'a Deployment>,
    /// Deployments of earlier runs, newest first.
    pub older: Vec<&'a Deployment>,
}

impl<'a> Card<'a> {
    /// Groups the deployments of one conversation.
    pub fn of(deployments: &'a [Deployment]) -> Self {
        let mut environments: Vec<&str> =
            deployments.iter().map(|d| d.description.environment.as_str()).collect();
        environments.sort_unstable();
        environments.dedup();
        Self { sections: environments.into_iter().map(|name| Section::of(name, deployments)).collect() }
    }
}

impl<'a> Section<'a> {
    fn of(environment: &'a str, deployments: &'a [Deployment]) -> Self {
        let mut mine: Vec<&Deployment> =
            deployments.iter().filter(|d| d.description.environment == environment).collect();
        mine.sort_by_key(|d| std::cmp::Reverse(d.age()));
        let newest_run = newest_run(mine.iter().copied());
        let (mut newest, older): (Vec<_>, Vec<_>) =
            mine.into_iter().partition(|d| Some(d.description.run) == newest_run);
        // A retried job leaves its former deployment in the same run: the newest of each job is shown.
        let mut former = Vec::new();
        newest.retain(|d| {
            let seen = former.contains(&&d.description.job_name);
            former.push(&d.description.job_name);
            !seen || !d.status.is_final()
        });
        newest.reverse();
        let shown: Vec<_> = newest.iter().map(|d| d.description.number).collect();
        let retried = deployments.iter().filter(|d| {
            d.description.environment == environment
                && Some(d.description.run) == newest_run
                && !shown.contains(&d.description.number)
        });
        let mut older: Vec<&Deployment> = retried.chain(older).collect();
        older.sort_by_key(|d| std::cmp::Reverse(d.age()));
        Self { environment, newest, older }
    }
}

/// The run of the newest deployment.
#[expect(single_use_lifetimes, reason = "an anonymous lifetime can't be named in an argument's impl Trait")]
pub fn newest_run<'a>(deployments: impl Iterator<Item = &'a Deployment>) -> Option<i64> {
    deployments.into_iter().max_by_key(|d| d.age()).map(|d| d.description.run)
}

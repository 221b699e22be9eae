//! The statements that every database of ours takes: `$N` placeholders, times in milliseconds, ids as text. What
//! only one of them takes stands in its own folder.

pub(super) mod delivery {
    pub(crate) const FORGET: &str = "DELETE FROM delivery WHERE (source, id) IN \
        (SELECT source, id FROM delivery WHERE received_at < $1 ORDER BY received_at LIMIT $2)";

    pub(crate) const HEARD: &str = "SELECT digest, author, heard_at FROM heard WHERE comment = $1";
    pub(crate) const FORGET_HEARD: &str = "DELETE FROM heard WHERE comment IN \
        (SELECT comment FROM heard WHERE heard_at < $1 ORDER BY heard_at LIMIT $2)";

    pub(crate) const IS_KNOWN: &str = "SELECT \
        (SELECT COUNT(*) FROM delivery WHERE source = $1 AND id = $2) + \
        (SELECT COUNT(*) FROM asked_again WHERE source = $1 AND id = $2)";
    pub(crate) const ASKED_AGAIN: &str = "INSERT INTO asked_again (source, id, asked_at) VALUES ($1, $2, $3) \
        ON CONFLICT (source, id) DO NOTHING";
    pub(crate) const FORGET_ASKED: &str = "DELETE FROM asked_again WHERE (source, id) IN \
        (SELECT source, id FROM asked_again WHERE asked_at < $1 ORDER BY asked_at LIMIT $2)";
}

pub(super) mod job {
    pub(crate) const INSERT: &str = "INSERT INTO job \
        (lane, key, forge, work, run_at, ordered_at, created_at, dedupe) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    /// A job that somebody holds may have read the world already: it doesn't stand in for a new one.
    pub(crate) const IS_MARKED: &str =
        "SELECT COUNT(*) FROM job WHERE dedupe = $1 AND lease_token IS NULL AND NOT dead";

    /// `job_head` allows one head, so the old one goes before the new one comes.
    pub(crate) const CLEAR_HEAD: &str = "UPDATE job SET head = FALSE WHERE lane = $1 AND key = $2 AND head";
    pub(crate) const SET_HEAD: &str = "UPDATE job SET head = TRUE WHERE id = \
        (SELECT id FROM job WHERE lane = $1 AND key = $2 AND NOT dead ORDER BY ordered_at, id LIMIT 1)";

    pub(crate) const IS_LEASED: &str =
        "SELECT lane, key FROM job WHERE id = $1 AND lease_token = $2 AND NOT dead";
    pub(crate) const POSTPONE: &str = "UPDATE job SET run_at = $3, last_error = $4, \
            attempts = attempts - $5, lease_token = NULL, lease_until = NULL \
        WHERE id = $1 AND lease_token = $2 AND NOT dead";

    pub(crate) const DONE: &str = "DELETE FROM job WHERE id = $1";
    pub(crate) const DEAD: &str = "UPDATE job SET dead = TRUE, head = FALSE, last_error = $2, \
            lease_token = NULL, lease_until = NULL WHERE id = $1";
    pub(crate) const AGAIN: &str = "UPDATE job SET run_at = $2, attempts = 0, last_error = NULL, \
            lease_token = NULL, lease_until = NULL WHERE id = $1";

    /// Ends a job with a mark when another with the same mark waits.
    pub(crate) const DONE_IF_DOUBLE: &str = "DELETE FROM job WHERE id = $1 AND EXISTS (SELECT 1 FROM job o \
            WHERE o.dedupe = job.dedupe AND o.id <> job.id AND o.lease_token IS NULL AND NOT o.dead)";

    /// Another job of this lane and key than `$3`.
    pub(crate) const OTHERS: &str =
        "SELECT COUNT(*) FROM job WHERE lane = $1 AND key = $2 AND NOT dead AND id <> $3";

    pub(crate) const LIST: &str = "SELECT id, lane, key, forge, work, run_at, created_at, attempts, dead, last_error \
        FROM job WHERE id > $1 ORDER BY id LIMIT $2";
    pub(crate) const LIST_DEAD: &str = "SELECT id, lane, key, forge, work, run_at, created_at, attempts, dead, \
        last_error FROM job WHERE dead AND id > $1 ORDER BY id LIMIT $2";
    pub(crate) const REVIVE: &str = "UPDATE job SET dead = FALSE, run_at = $2, attempts = 0, last_error = NULL \
        WHERE id = $1 AND dead RETURNING lane, key";
    pub(crate) const DISCARD: &str = "DELETE FROM job WHERE id = $1 AND dead";
    /// `$2`: where counting ends.
    pub(crate) const COUNT: &str =
        "SELECT COUNT(*) FROM (SELECT 1 FROM job WHERE lane = $1 AND NOT dead LIMIT $2) counted";
    pub(crate) const COUNT_DEAD: &str =
        "SELECT COUNT(*) FROM (SELECT 1 FROM job WHERE dead LIMIT $1) counted";
    pub(crate) const DUE_SINCE: &str =
        "SELECT MIN(run_at) FROM job WHERE head AND lane = $1 AND run_at <= $2";

    /// Whatever may change whose turn it is: jobs at the head of their queue, and leases. (`job_wake` is for these
    /// alone, so that the many that wait behind a head cost nothing.) A paused forge's jobs become due when the pause
    /// ends; whether it has any isn't asked, since one look too many costs nothing.
    pub(crate) const NEXT_DUE: &str = "SELECT MIN(at) FROM ( \
        SELECT MIN(run_at) AS at FROM job WHERE (head OR lease_until IS NOT NULL) AND run_at > $1 \
        UNION ALL SELECT MIN(until) FROM pause WHERE until > $1) soonest";
    pub(crate) const DEPTH: &str = "SELECT \
        COUNT(*) FILTER (WHERE NOT dead AND (run_at <= $1 OR lease_until > $1)) AS due, \
        COUNT(*) FILTER (WHERE NOT dead AND run_at > $1 AND (lease_until IS NULL OR lease_until <= $1)) AS later, \
        COUNT(*) FILTER (WHERE dead) AS dead FROM job";

    /// A pause is never shortened.
    pub(crate) const PAUSE: &str = "INSERT INTO pause (forge, until) VALUES ($1, $2) \
        ON CONFLICT (forge) DO UPDATE SET until = excluded.until WHERE pause.until < excluded.until";
}

pub(super) mod deployment {
    pub(crate) const SAVE: &str = "INSERT INTO deployment \
        (id, forge, project, number, age, run, conversation, status, final, superseded, subject) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (id) DO UPDATE SET \
        conversation = excluded.conversation, status = excluded.status, \
        final = excluded.final, superseded = excluded.superseded";

    /// Whole chains of the deployments that the inner statement names, newest first.
    macro_rules! chains {
        ($which:literal) => {
            concat!(
                "SELECT l.deployment, l.seq, l.at, l.format, l.body, l.hash FROM (",
                $which,
                ") d JOIN ledger l ON l.deployment = d.id \
                 ORDER BY d.age DESC, d.number DESC, d.id DESC, l.seq"
            )
        };
    }

    pub(crate) const CHAINS_IN: &str = chains!(
        "SELECT id, age, number FROM deployment WHERE conversation = $1 \
         ORDER BY age DESC, number DESC, id DESC LIMIT $2"
    );
    pub(crate) const CHAINS_OF: &str = chains!(
        "SELECT id, age, number FROM deployment WHERE forge = $1 AND project = $2 \
         ORDER BY age DESC, number DESC, id DESC LIMIT $3"
    );
    pub(crate) const CHAINS_OF_STATUS: &str = chains!(
        "SELECT id, age, number FROM deployment WHERE forge = $1 AND project = $2 AND status = $4 \
         ORDER BY age DESC, number DESC, id DESC LIMIT $3"
    );
    pub(crate) const CHAINS_OF_NUMBER: &str =
        chains!("SELECT id, age, number FROM deployment WHERE forge = $1 AND project = $2 AND number = $3");
    pub(crate) const CHAINS_ABOUT: &str =
        chains!("SELECT id, age, number FROM deployment WHERE subject = $1");
    /// First entries alone.
    pub(crate) const OPENINGS: &str = "SELECT l.deployment, l.seq, l.at, l.format, l.body, l.hash FROM (\
            SELECT id FROM deployment WHERE forge = $1 AND project = $2 \
            ORDER BY age DESC, number DESC, id DESC LIMIT $3) d \
        JOIN ledger l ON l.deployment = d.id WHERE l.seq = 1";
    pub(crate) const OF_RUN: &str =
        "SELECT id FROM deployment WHERE forge = $1 AND project = $2 AND run = $3 ORDER BY id";

    pub(crate) const WATCHED: &str = "SELECT id FROM deployment \
        WHERE forge = $1 AND NOT final AND NOT superseded AND conversation IS NOT NULL ORDER BY id";
    pub(crate) const WATCHED_ROOMS: &str = "SELECT DISTINCT conversation FROM deployment \
        WHERE forge = $1 AND NOT final AND NOT superseded AND conversation IS NOT NULL ORDER BY conversation";
    pub(crate) const CHAINS_OPEN: &str = chains!(
        "SELECT id, age, number FROM deployment WHERE forge = $1 AND project = $2 AND NOT final AND NOT superseded \
         ORDER BY age DESC, number DESC, id DESC LIMIT $3"
    );
    /// Those that are superseded stay open until the forge ends them, which it may never do: they aren't looked at.
    pub(crate) const AHEAD: &str = "SELECT id FROM deployment \
        WHERE forge = $1 AND project = $2 AND age < $3 AND NOT final AND NOT superseded ORDER BY age, id";
    pub(crate) const OPEN: &str = "SELECT age, id FROM deployment \
        WHERE forge = $1 AND project = $2 AND NOT final ORDER BY age, number, id";
}

pub(super) mod number {
    pub(crate) const GIVE: &str = "INSERT INTO number (deployment, forge, project, number) \
        SELECT $1, $2, $3, COALESCE(MAX(number), 0) + 1 FROM number WHERE forge = $2 AND project = $3 \
        ON CONFLICT (deployment) DO NOTHING";
    pub(crate) const ONE: &str = "SELECT number FROM number WHERE deployment = $1";
}

pub(super) mod ledger {
    pub(crate) const INSERT: &str = "INSERT INTO ledger (deployment, seq, at, format, body, hash) \
        VALUES ($1, $2, $3, $4, $5, $6)";
    pub(crate) const CHAIN: &str =
        "SELECT deployment, seq, at, format, body, hash FROM ledger WHERE deployment = $1 ORDER BY seq";
    pub(crate) const IDS: &str =
        "SELECT DISTINCT deployment FROM ledger WHERE deployment > $1 ORDER BY deployment LIMIT $2";
    pub(crate) const AFTER: &str = "SELECT deployment, seq, at, format, body, hash FROM ledger \
        WHERE (deployment, seq) > ($1, $2) ORDER BY deployment, seq LIMIT $3";
}

pub(super) mod command {
    pub(crate) const INSERT: &str = "INSERT INTO command \
        (source, line, conversation, author, at, outcome, named) \
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (source, line) DO NOTHING";
    pub(crate) const FORGET: &str = "DELETE FROM command WHERE source = $1 AND line = $2 AND outcome = $3";
    pub(crate) const OF_SOURCE: &str = "SELECT COUNT(*) FROM command WHERE source = $1";
    pub(crate) const ANSWERED: &str = "SELECT COUNT(DISTINCT source) FROM command \
        WHERE conversation = $1 AND author = $2 AND at >= $3 AND NOT named";
}

pub(super) mod room {
    pub(crate) const CARD: &str = "INSERT INTO room (conversation, card, card_at, card_digest, shown, hinted) \
        VALUES ($1, $2, $3, $4, $5, FALSE) ON CONFLICT (conversation) DO UPDATE SET \
        card = excluded.card, card_at = excluded.card_at, card_digest = excluded.card_digest, \
        shown = excluded.shown";
    pub(crate) const READ_UNTIL: &str = "INSERT INTO room (conversation, shown, read_until, hinted) \
        VALUES ($1, '[]', $2, FALSE) ON CONFLICT (conversation) DO UPDATE SET \
        read_until = excluded.read_until WHERE room.read_until IS NULL OR room.read_until < excluded.read_until";
    pub(crate) const HINTED: &str = "INSERT INTO room (conversation, shown, hinted) VALUES ($1, '[]', TRUE) \
        ON CONFLICT (conversation) DO UPDATE SET hinted = TRUE";
    pub(crate) const ONE: &str =
        "SELECT card, card_at, card_digest, shown, read_until, hinted FROM room WHERE conversation = $1";
}

pub(super) mod posting {
    pub(crate) const OPEN: &str = "INSERT INTO posting (chat, channel, subject, stale, shown, closed, told, made_at) \
        VALUES ($1, $2, $3, 0, '[]', FALSE, '[]', $4) ON CONFLICT (chat, channel, subject) DO NOTHING";
    pub(crate) const SHOWN: &str = "UPDATE posting SET posted_in = $4, message = $5, \
        digest = CASE WHEN stale = $6 THEN $7 END, shown = $8, changes = COALESCE($9, changes) \
        WHERE chat = $1 AND channel = $2 AND subject = $3";
    pub(crate) const STALE: &str = "UPDATE posting SET digest = NULL, stale = stale + 1 WHERE chat = $1 AND channel = $2 AND subject = $3";
    pub(crate) const CLOSED: &str =
        "UPDATE posting SET closed = TRUE WHERE chat = $1 AND channel = $2 AND subject = $3";
    pub(crate) const TOLD: &str =
        "UPDATE posting SET told = $4 WHERE chat = $1 AND channel = $2 AND subject = $3";

    macro_rules! postings {
        ($which:literal) => {
            concat!(
                "SELECT p.chat, p.channel, p.subject, p.posted_in, p.message, p.digest, p.stale, p.shown, p.closed, \
                 p.told, p.changes, p.made_at FROM ",
                $which
            )
        };
    }

    pub(crate) const ONE: &str =
        postings!("posting p WHERE p.chat = $1 AND p.channel = $2 AND p.subject = $3");
    pub(crate) const ABOUT: &str = postings!("posting p WHERE p.subject = $1 ORDER BY p.chat, p.channel");
    pub(crate) const AT: &str =
        postings!("posting p WHERE p.chat = $1 AND p.posted_in = $2 AND p.message = $3");
    /// From what is open to its messages, and down from the newest message: so the past of a channel isn't walked
    /// through. `CROSS JOIN` keeps SQLite to that order.
    pub(crate) const IN_CHANNEL: &str = concat!(
        postings!(
            "(SELECT DISTINCT subject FROM deployment WHERE NOT final AND subject IS NOT NULL) d \
             CROSS JOIN posting p WHERE p.subject = d.subject AND p.chat = $1 AND p.posted_in = $2"
        ),
        " UNION ALL SELECT * FROM (",
        postings!(
            "posting p WHERE p.chat = $1 AND p.posted_in = $2 AND NOT EXISTS \
             (SELECT 1 FROM deployment d WHERE d.subject = p.subject AND NOT d.final) \
             ORDER BY p.made_at DESC, p.subject DESC, p.channel DESC LIMIT $3"
        ),
        ") past ORDER BY made_at DESC, subject DESC, channel DESC"
    );
}

pub(super) mod link {
    pub(crate) const PRESENT: &str = "SELECT chat, name, forge, chat_user, account, username, made_by, made_at \
        FROM link WHERE chat = $1 AND name = $2 AND forge = $3 AND ended_at IS NULL";
    /// Ends the present one, unless it says the same.
    pub(crate) const END: &str = "UPDATE link SET ended_at = $8 \
        WHERE chat = $1 AND name = $2 AND forge = $3 AND ended_at IS NULL \
        AND (chat_user, account, username, made_by) <> ($4, $5, $6, $7)";
    pub(crate) const BEGIN: &str = "INSERT INTO link \
        (chat, name, forge, chat_user, account, username, made_by, made_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
        ON CONFLICT (chat, name, forge) WHERE ended_at IS NULL DO NOTHING";
}

pub(super) mod pin {
    pub(crate) const INSERT: &str = "INSERT INTO pin (forge, kind, name, number) VALUES ($1, $2, $3, $4) \
        ON CONFLICT (forge, kind, name) DO NOTHING";
    pub(crate) const ONE: &str = "SELECT number FROM pin WHERE forge = $1 AND kind = $2 AND name = $3";
}

pub(super) mod project {
    pub(crate) const SAVE: &str = "INSERT INTO project (forge, id, path, active_at, looked_at) \
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT (forge, id) DO UPDATE SET \
        path = excluded.path, active_at = excluded.active_at, looked_at = excluded.looked_at";
    pub(crate) const ALL: &str =
        "SELECT id, path, active_at, looked_at FROM project WHERE forge = $1 ORDER BY id";
}

/// A write that changes nothing anybody reads.
pub(super) const PROBE: &str = "UPDATE probe SET writes = writes + 1";

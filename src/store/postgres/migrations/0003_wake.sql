-- Only jobs whose turn it is can become due, and those that wait for the end of somebody's lease: however many wait
-- behind them, the next look at the queue costs the same, and so does storing one more.
DROP INDEX job_wake;
CREATE INDEX job_wake ON job (run_at, forge) WHERE head OR lease_until IS NOT NULL;

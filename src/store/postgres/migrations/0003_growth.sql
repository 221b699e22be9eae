-- `job` first, as commits take the tables: an instance that still runs waits, and isn't in a ring with this.
-- Only jobs whose turn it is can become due, and those that wait for the end of somebody's lease: however many wait
-- behind them, the next look at the queue costs the same, and so does storing one more.
DROP INDEX job_wake;
CREATE INDEX job_wake ON job (run_at, forge) WHERE head OR lease_until IS NOT NULL;

-- So that what is open, and what a number means, is found without walking through the past of a project.
DROP INDEX deployment_open;
CREATE INDEX deployment_open ON deployment (forge, project, age, number) WHERE NOT final;
DROP INDEX deployment_number;
CREATE INDEX deployment_number ON deployment (forge, project, number, age);
-- What a newer one may overtake.
CREATE INDEX deployment_ahead ON deployment (forge, project, age) WHERE NOT final AND NOT superseded;

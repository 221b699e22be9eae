-- So that what is open, and what a number means, is found without walking through the past of a project.
DROP INDEX deployment_open;
CREATE INDEX deployment_open ON deployment (forge, project, age, number) WHERE NOT final;
DROP INDEX deployment_number;
CREATE INDEX deployment_number ON deployment (forge, project, number, age);
-- What a newer one may overtake.
CREATE INDEX deployment_ahead ON deployment (forge, project, age) WHERE NOT final AND NOT superseded;

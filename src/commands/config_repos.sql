-- The repositories that deployments name as their configuration.
select distinct config_repo from deployments where config_repo is not null

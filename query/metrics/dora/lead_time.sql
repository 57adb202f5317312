-- Time from a commit's author time to the end of the first deployment that brought it: the median commit. By other definitions a
-- change instead of a commit (scope has one row each), its legs added up (lt_legs), rounded (lt_round), another middle (quantile_rule).
-- Grain: one row per series and bucket. Unit: s. Reads: scope (commit, series), buckets.
with asked as (
    select bool_or(with_intervals) as for_intervals, bool_or(with_sample) as for_sample, max(lt_legs) as lt_legs,
        max(lt_round) as lt_round, bool_or(lt_drop_nonpositive) as drops_zero, max(quantile_rule) as rule
    from buckets
),
measured as (
    select series, bucket, id, reason, rule, drops_zero, for_sample,
        case when lt_legs = 'devlake_sum'
            then leg_seconds(since, opened_at, lt_round) + leg_seconds(opened_at, merged_at, lt_round) + leg_seconds(merged_at, at, lt_round)
            else rounded(seconds_between(since, at), lt_round) end as lead,
        -- Drawing costs: without clusters nothing is drawn.
        case when for_intervals then id end as drawn_id,
        coding, pickup, review, merge_wait, build, promote_wait, sync_wait, deploy
    from scope cross join asked where what = 'commit'
),
commits as (
    select series, bucket, id, rule, lead, drawn_id, for_sample, coding, pickup, review, merge_wait, build, promote_wait, sync_wait, deploy,
        case when reason is not null then reason when lead < 0 then 'clock_skew' when drops_zero and lead = 0 then 'not_positive' end as reason
    from measured
),
leads as (
    select series, bucket, count(*) as n, count(distinct id) as deployments,
        quantile(lead, 0.5, rule) as p50, quantile(lead, 0.75, rule) as p75, quantile(lead, 0.9, rule) as p90,
        avg(lead) as mean,
        -- A stage that nothing ends took no time of its own: the means sum to the mean of the whole.
        avg(coalesce(coding, 0.0)) as coding, avg(coalesce(pickup, 0.0)) as pickup, avg(coalesce(review, 0.0)) as review,
        avg(coalesce(merge_wait, 0.0)) as merge_wait, avg(coalesce(build, 0.0)) as build,
        avg(coalesce(promote_wait, 0.0)) as promote_wait, avg(coalesce(sync_wait, 0.0)) as sync_wait,
        avg(coalesce(deploy, 0.0)) as deploy,
        order_statistics(lead) as ranks, cluster_bootstrap(lead, drawn_id) as drawn,
        array_agg(lead) filter (where for_sample) as sample, array_agg(id) filter (where for_sample) as sample_cluster
    from commits where reason is null
    group by series, bucket
),
excluded as (
    select series, bucket,
        count(*) filter (where reason = 'no_baseline') as no_baseline,
        count(*) filter (where reason = 'no_graph') as no_graph,
        count(*) filter (where reason = 'no_source_link') as no_source_link,
        count(*) filter (where reason = 'merge_commit') as merge_commit,
        count(*) filter (where reason = 'no_commit_time') as no_commit_time,
        count(*) filter (where reason = 'no_files') as no_files,
        count(*) filter (where reason = 'clock_skew') as clock_skew,
        count(*) filter (where reason = 'not_positive') as not_positive,
        count(*) filter (where reason in ('no_graph', 'no_source_link', 'no_commit_time', 'no_files', 'clock_skew')) as missing
    from commits where reason is not null
    group by series, bucket
)
select s.series, b.bucket,
    case when l.n is null and b.nothing_is_zero then 0.0 when b.quantile_rule = 'mean' then l.mean else l.p50 end as value,
    coalesce(l.n, 0) as n,
    l.p50 as quantile_p50, l.p75 as quantile_p75, l.p90 as quantile_p90,
    -- Commits of one deployment are not independent: ranks tell an interval only where each brought one, else deployments are drawn.
    case when b.quantile_rule = 'mean' then null when l.n = l.deployments then l.ranks['lo'] else l.drawn['lo'] end as ci_lo,
    case when b.quantile_rule = 'mean' then null when l.n = l.deployments then l.ranks['hi'] else l.drawn['hi'] end as ci_hi,
    case when l.n = l.deployments then 'order_statistic' else 'cluster_bootstrap' end as ci_method,
    coverage(coalesce(l.n, 0), coalesce(e.missing, 0)) as coverage,
    l.mean as detail_mean,
    l.coding as detail_coding, l.pickup as detail_pickup, l.review as detail_review, l.merge_wait as detail_merge_wait,
    l.build as detail_build, l.promote_wait as detail_promote_wait, l.sync_wait as detail_sync_wait, l.deploy as detail_deploy,
    l.sample as sample, l.sample_cluster as sample_cluster,
    e.no_baseline as excluded_no_baseline, e.no_graph as excluded_no_graph, e.no_source_link as excluded_no_source_link,
    e.merge_commit as excluded_merge_commit, e.no_commit_time as excluded_no_commit_time, e.no_files as excluded_no_files,
    e.clock_skew as excluded_clock_skew, e.not_positive as excluded_not_positive
from scope s
cross join buckets b
left join leads l on l.series = s.series and l.bucket = b.bucket
left join excluded e on e.series = s.series and e.bucket = b.bucket
where s.what = 'series'
order by s.series, b.bucket

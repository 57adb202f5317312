-- Share of production deployments that took effect and failed; each at most once. By other definitions (cfr_num) incidents, or pairs
-- of a deployment and an incident, for each deployment.
-- Grain: one row per series and bucket. Unit: 1. Reads: scope (deployment, failure, incident, excluded, series), buckets.
with moment as (select max(as_of) as as_of, max(cfr_num) as cfr_num from buckets),
failed as (
    select f.series, f.id, case when max(moment.cfr_num) = 'joins' then count(*) else 1 end as failures
    from scope f cross join moment
    where f.what = 'failure' and f.at <= moment.as_of and is_failure(f.reason, moment.cfr_num)
    group by f.series, f.id
),
deployments as (
    select d.series, d.bucket, count(*) as total, coalesce(sum(f.failures), 0) as failures,
        -- Too young to be sure that they are well.
        count(*) filter (where f.id is null and d.until > moment.as_of) as pending
    from scope d cross join moment left join failed f on f.series = d.series and f.id = d.id
    where d.what = 'deployment'
    group by d.series, d.bucket
),
others as (
    select series, bucket,
        count(*) filter (where reason = 'no_op') as no_op,
        count(*) filter (where reason = 'rollback') as rollback,
        count(*) filter (where reason = 'attributed') as attributed,
        count(*) filter (where reason = 'unattributed') as unattributed,
        count(*) filter (where reason = 'counted') as counted
    from scope where what in ('excluded', 'incident')
    group by series, bucket
),
sources as (select count(*) > 0 as has_incidents from scope where what = 'incident_source'),
shares as (
    select d.series, d.bucket, d.total, d.pending, case when b.cfr_num = 'incidents' then coalesce(o.counted, 0) else d.failures end as failures
    from deployments d
    join buckets b on b.bucket = d.bucket
    left join others o on o.series = d.series and o.bucket = d.bucket
)
select s.series, b.bucket,
    case when d.total is null and b.nothing_is_zero then 0.0 else ratio(d.failures, d.total) end as value,
    coalesce(d.total, 0) as n,
    cast(d.failures as double) as numerator, cast(d.total as double) as denominator,
    -- More failures than deployments are no share of them.
    case when d.failures <= d.total then wilson(d.failures, d.total)['lo'] end as ci_lo,
    case when d.failures <= d.total then wilson(d.failures, d.total)['hi'] end as ci_hi, 'wilson' as ci_method,
    -- Incidents that could not be charged to a deployment are failures that are missing here.
    case when not sources.has_incidents and b.cfr_num <> 'rollbacks' then 0.0
        else coalesce(coverage(o.attributed, o.unattributed), 1.0) end as coverage,
    cast(d.pending as double) as detail_pending,
    o.no_op as excluded_no_op, o.rollback as excluded_rollback, o.unattributed as excluded_unattributed
from scope s
cross join buckets b
cross join sources
left join shares d on d.series = s.series and d.bucket = b.bucket
left join others o on o.series = s.series and o.bucket = b.bucket
where s.what = 'series'
order by s.series, b.bucket

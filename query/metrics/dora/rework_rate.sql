-- Share of production deployments that were unplanned: rollbacks, hotfixes, reverts, and fixes of incidents.
-- Grain: one row per series and bucket. Unit: 1. Reads: scope (deployment, excluded, series), buckets.
with deployments as (
    select d.series, d.bucket, count(*) as total, count(*) filter (where d.since <= q.as_of) as unplanned
    from scope d cross join (select max(as_of) as as_of from buckets) q
    where d.what = 'deployment'
    group by d.series, d.bucket
),
excluded as (
    select series, bucket,
        count(*) filter (where reason = 'no_op') as no_op,
        count(*) filter (where reason = 'config_only') as config_only
    from scope where what = 'excluded'
    group by series, bucket
)
select s.series, b.bucket,
    ratio(d.unplanned, d.total) as value,
    coalesce(d.total, 0) as n,
    cast(d.unplanned as double) as numerator, cast(d.total as double) as denominator,
    wilson(d.unplanned, d.total)['lo'] as ci_lo, wilson(d.unplanned, d.total)['hi'] as ci_hi, 'wilson' as ci_method,
    coverage(d.total, 0) as coverage,
    e.no_op as excluded_no_op, e.config_only as excluded_config_only
from scope s
cross join buckets b
left join deployments d on d.series = s.series and d.bucket = b.bucket
left join excluded e on e.series = s.series and e.bucket = b.bucket
where s.what = 'series'
order by s.series, b.bucket

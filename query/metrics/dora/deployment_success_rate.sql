-- Share of ended production deployments that succeeded, every kind, each row on its own.
-- Grain: one row per series and bucket. Unit: 1. Reads: scope (deployment, series), buckets.
with deployments as (
    select series, bucket,
        count(*) filter (where outcome = 'success') as succeeded,
        count(*) filter (where has_concluded(outcome)) as total,
        count(*) filter (where outcome = 'cancellation') as cancellation,
        count(*) filter (where outcome = 'skip') as skip
    from scope where what = 'deployment'
    group by series, bucket
)
select s.series, b.bucket,
    ratio(d.succeeded, d.total) as value,
    coalesce(d.total, 0) as n,
    case when d.total > 0 then cast(d.succeeded as double) end as numerator,
    case when d.total > 0 then cast(d.total as double) end as denominator,
    wilson(d.succeeded, d.total)['lo'] as ci_lo, wilson(d.succeeded, d.total)['hi'] as ci_hi, 'wilson' as ci_method,
    coverage(d.total, 0) as coverage,
    d.cancellation as excluded_cancellation, d.skip as excluded_skip
from scope s
cross join buckets b
left join deployments d on d.series = s.series and d.bucket = b.bucket
where s.what = 'series'
order by s.series, b.bucket

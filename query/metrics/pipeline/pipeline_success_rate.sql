-- Share of ended pipeline runs that succeeded, final attempts only.
-- Grain: one row per series and bucket. Unit: 1. Reads: scope (run, series), buckets.
with runs as (
    select series, bucket,
        count(*) filter (where outcome = 'success') as succeeded,
        count(*) filter (where has_concluded(outcome)) as total,
        count(*) filter (where outcome = 'cancellation') as cancellation,
        count(*) filter (where outcome = 'skip') as skip
    from scope where what = 'run'
    group by series, bucket
)
select s.series, b.bucket,
    ratio(r.succeeded, r.total) as value,
    coalesce(r.total, 0) as n,
    case when r.total > 0 then cast(r.succeeded as double) end as numerator,
    case when r.total > 0 then cast(r.total as double) end as denominator,
    wilson(r.succeeded, r.total)['lo'] as ci_lo, wilson(r.succeeded, r.total)['hi'] as ci_hi, 'wilson' as ci_method,
    coverage(r.total, 0) as coverage,
    r.cancellation as excluded_cancellation, r.skip as excluded_skip
from scope s
cross join buckets b
left join runs r on r.series = s.series and r.bucket = b.bucket
where s.what = 'series'
order by s.series, b.bucket

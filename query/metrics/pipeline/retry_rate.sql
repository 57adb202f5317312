-- Share of ended pipeline runs that were tried again, whole or a job of them.
-- Grain: one row per series and bucket. Unit: 1. Reads: scope (run, series), buckets.
with runs as (
    select r.series, r.bucket, count(*) filter (where r.since <= q.as_of) as retried, count(*) as total
    from scope r cross join (select max(as_of) as as_of from buckets) q
    where r.what = 'run'
    group by r.series, r.bucket
)
select s.series, b.bucket,
    ratio(r.retried, r.total) as value,
    coalesce(r.total, 0) as n,
    cast(r.retried as double) as numerator, cast(r.total as double) as denominator,
    wilson(r.retried, r.total)['lo'] as ci_lo, wilson(r.retried, r.total)['hi'] as ci_hi, 'wilson' as ci_method,
    coverage(r.total, 0) as coverage
from scope s
cross join buckets b
left join runs r on r.series = s.series and r.bucket = b.bucket
where s.what = 'series'
order by s.series, b.bucket

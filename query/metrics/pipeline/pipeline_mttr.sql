-- Time from the end of the run that turned a default branch red to the end of the one that turned it green again.
-- Grain: one row per series and bucket. Unit: s. Reads: scope (red, series), buckets.
with times as (
    select r.series, r.bucket,
        r.until is not null as is_over,
        seconds_between(r.since, coalesce(r.until, q.as_of)) as seconds
    from scope r cross join (select max(as_of) as as_of from buckets) q
    where r.what = 'red'
),
mended as (
    select series, bucket, count(*) as n,
        kaplan_meier(seconds, is_over) as km
    from times where seconds >= 0
    group by series, bucket
),
excluded as (
    select series, bucket, count(*) as overlap
    from times where seconds < 0
    group by series, bucket
)
select s.series, b.bucket,
    m.km['median'] as value,
    coalesce(m.n, 0) as n,
    m.km['lo'] as ci_lo, m.km['hi'] as ci_hi, 'kaplan_meier' as ci_method,
    coverage(m.n, 0) as coverage,
    m.km['mean_ended'] as detail_mean, m.km['median_ended'] as detail_median_resolved,
    e.overlap as excluded_overlap
from scope s
cross join buckets b
left join mended m on m.series = s.series and m.bucket = b.bucket
left join excluded e on e.series = s.series and e.bucket = b.bucket
where s.what = 'series'
order by s.series, b.bucket

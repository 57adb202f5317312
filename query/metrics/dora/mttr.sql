-- Time from the start of a production incident to its end, those still open included as such.
-- Grain: one row per series and bucket. Unit: s. Reads: scope (incident, series), buckets.
with times as (
    select i.series, i.bucket,
        i.until is not null and i.until <= q.as_of as is_over,
        seconds_between(i.since, case when i.until <= q.as_of then i.until else q.as_of end) as seconds
    from scope i cross join (select max(as_of) as as_of from buckets) q
    where i.what = 'incident'
),
restored as (
    select series, bucket, count(*) as n,
        kaplan_meier(seconds, is_over) as km
    from times where seconds >= 0
    group by series, bucket
),
excluded as (
    select series, bucket, count(*) as clock_skew
    from times where seconds < 0
    group by series, bucket
)
select s.series, b.bucket,
    r.km['median'] as value,
    coalesce(r.n, 0) as n,
    r.km['lo'] as ci_lo, r.km['hi'] as ci_hi, 'kaplan_meier' as ci_method,
    coverage(coalesce(r.n, 0), coalesce(e.clock_skew, 0)) as coverage,
    r.km['mean_ended'] as detail_mean, r.km['median_ended'] as detail_median_resolved,
    e.clock_skew as excluded_clock_skew
from scope s
cross join buckets b
left join restored r on r.series = s.series and r.bucket = b.bucket
left join excluded e on e.series = s.series and e.bucket = b.bucket
where s.what = 'series'
order by s.series, b.bucket

-- How long a drift episode lasts, time in which nobody looked left out, open ones included as such.
-- Grain: one row per series and bucket. Unit: s. Reads: scope (episode, series), buckets.
with times as (
    select e.series, e.bucket, e.is_hidden,
        e.until is not null and e.until <= q.as_of as is_over,
        -- To the microsecond: equal durations are one moment of the curve.
        round(seconds_between(e.since, case when e.until <= q.as_of then e.until else q.as_of end) - e.seconds, 6) as seconds
    from scope e cross join (select max(as_of) as as_of from buckets) q
    where e.what = 'episode'
),
durations as (
    select series, bucket, count(*) as n,
        kaplan_meier(seconds, is_over) as km
    from times where not is_hidden
    group by series, bucket
),
excluded as (
    select series, bucket, count(*) as hidden
    from times where is_hidden
    group by series, bucket
)
select s.series, b.bucket,
    d.km['median'] as value,
    coalesce(d.n, 0) as n,
    d.km['lo'] as ci_lo, d.km['hi'] as ci_hi, 'kaplan_meier' as ci_method,
    coverage(coalesce(d.n, 0), 0) as coverage,
    d.km['median_ended'] as detail_median_resolved,
    e.hidden as excluded_hidden
from scope s
cross join buckets b
left join durations d on d.series = s.series and d.bucket = b.bucket
left join excluded e on e.series = s.series and e.bucket = b.bucket
where s.what = 'series'
order by s.series, b.bucket

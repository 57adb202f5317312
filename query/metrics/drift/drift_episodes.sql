-- Drift episodes that began, per observed day of an application; those seen only through the self-heal that ended them included.
-- Grain: one row per series and bucket. Unit: 1/d. Reads: scope (stretch, episode, series), buckets.
with clipped as (
    select t.series, b.bucket,
        seconds_between(greatest(t.since, b.from_at), least(coalesce(t.until, b.to_at), b.to_at)) as seconds
    from scope t join buckets b on t.since < b.to_at and (t.until is null or t.until > b.from_at)
    where t.what = 'stretch'
),
observed as (
    select series, bucket, sum(seconds) / 86400.0 as days
    from clipped where seconds > 0
    group by series, bucket
),
begun as (
    select series, bucket, count(*) as episodes
    from scope where what = 'episode'
    group by series, bucket
)
select s.series, b.bucket,
    ratio(coalesce(e.episodes, 0), o.days) as value,
    coalesce(e.episodes, 0) as n,
    case when o.days > 0 then cast(coalesce(e.episodes, 0) as double) end as numerator,
    o.days as denominator,
    cast(null as double) as ci_lo, cast(null as double) as ci_hi,
    'none' as ci_method,
    coverage(coalesce(e.episodes, 0), 0) as coverage
from scope s
cross join buckets b
left join observed o on o.series = s.series and o.bucket = b.bucket
left join begun e on e.series = s.series and e.bucket = b.bucket
where s.what = 'series'
order by s.series, b.bucket

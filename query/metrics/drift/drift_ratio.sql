-- Share of the observed time in which the cluster differed from what it had been synced to.
-- Grain: one row per series and bucket. Unit: 1. Reads: scope (stretch, series), buckets.
with clipped as (
    select t.series, b.bucket, t.id, t.reason,
        seconds_between(greatest(t.since, b.from_at), least(coalesce(t.until, b.to_at), b.to_at)) as seconds
    from scope t join buckets b on t.since < b.to_at and (t.until is null or t.until > b.from_at)
    where t.what = 'stretch'
),
observed as (
    select series, bucket, count(distinct id) as apps,
        sum(seconds) as observed, sum(case when reason = 'live' then seconds else 0.0 end) as live
    from clipped where seconds > 0
    group by series, bucket
)
select s.series, b.bucket,
    ratio(o.live, o.observed) as value,
    coalesce(o.apps, 0) as n,
    o.live as numerator, o.observed as denominator,
    cast(null as double) as ci_lo, cast(null as double) as ci_hi, 'none' as ci_method,
    coverage(o.apps, 0) as coverage
from scope s
cross join buckets b
left join observed o on o.series = s.series and o.bucket = b.bucket
where s.what = 'series'
order by s.series, b.bucket

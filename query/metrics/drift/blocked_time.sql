-- Time in which applications wanted a revision whose sync had failed.
-- Grain: one row per series and bucket. Unit: s. Reads: scope (stretch, series), buckets.
with within as (
    select t.series, b.bucket, t.id, t.reason = 'blocked' as is_blocked,
        seconds_between(greatest(t.since, b.from_at), least(coalesce(t.until, b.to_at), b.to_at)) as seconds
    from scope t join buckets b on t.since < b.to_at and (t.until is null or t.until > b.from_at)
    where t.what = 'stretch'
),
observed as (
    select series, bucket, count(distinct id) as apps,
        sum(seconds) as observed, coalesce(sum(seconds) filter (where is_blocked), 0.0) as blocked
    from within where seconds > 0
    group by series, bucket
)
select s.series, b.bucket,
    o.blocked as value,
    coalesce(o.apps, 0) as n,
    coverage(o.apps, 0) as coverage,
    ratio(o.blocked, o.observed) as detail_share
from scope s
cross join buckets b
left join observed o on o.series = s.series and o.bucket = b.bucket
where s.what = 'series'
order by s.series, b.bucket

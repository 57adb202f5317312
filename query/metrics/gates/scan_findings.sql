-- Critical and high findings in what runs at a moment, by the latest scan of each kind.
-- Grain: one row per series and bucket. Unit: count. Reads: scope (service, finding, series), buckets.
with found as (
    select series, bucket,
        count(distinct id) as services,
        sum(count) filter (where reason = 'critical') as critical,
        sum(count) filter (where reason = 'high') as high,
        sum(count) filter (where reason = 'medium') as medium,
        sum(count) filter (where reason = 'low') as low
    from scope where what = 'finding'
    group by series, bucket
),
running as (select series, bucket, count(distinct id) as services from scope where what = 'service' group by series, bucket)
select s.series, b.bucket,
    cast(f.critical + f.high as double) as value,
    coalesce(f.services, 0) as n,
    ratio(coalesce(f.services, 0), r.services) as coverage,
    cast(f.critical as double) as detail_critical, cast(f.high as double) as detail_high,
    cast(f.medium as double) as detail_medium, cast(f.low as double) as detail_low,
    r.services - coalesce(f.services, 0) as excluded_no_scan
from scope s
cross join buckets b
left join running r on r.series = s.series and r.bucket = b.bucket
left join found f on f.series = s.series and f.bucket = b.bucket
where s.what = 'series'
order by s.series, b.bucket

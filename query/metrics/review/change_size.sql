-- Lines that a merged change adds and deletes: the median change.
-- Grain: one row per series and bucket. Unit: count. Reads: scope (change, series), buckets.
with asked as (select bool_or(with_sample) as for_sample from buckets),
sizes as (
    select series, bucket, cast(id as double) as lines, for_sample
    from scope cross join asked where what = 'change'
),
counted as (
    select series, bucket,
        count(lines) as n, count(*) - count(lines) as no_size,
        quantile(lines, 0.5) as p50, quantile(lines, 0.75) as p75, quantile(lines, 0.9) as p90,
        avg(lines) as mean, order_statistics(lines) as ranks,
        array_agg(lines) filter (where for_sample and lines is not null) as sample
    from sizes
    group by series, bucket
)
select s.series, b.bucket,
    c.p50 as value,
    coalesce(c.n, 0) as n,
    c.p50 as quantile_p50, c.p75 as quantile_p75, c.p90 as quantile_p90,
    c.ranks['lo'] as ci_lo, c.ranks['hi'] as ci_hi, 'order_statistic' as ci_method,
    coverage(coalesce(c.n, 0), coalesce(c.no_size, 0)) as coverage,
    c.mean as detail_mean,
    c.sample as sample,
    c.no_size as excluded_no_size
from scope s
cross join buckets b
left join counted c on c.series = s.series and c.bucket = b.bucket
where s.what = 'series'
order by s.series, b.bucket

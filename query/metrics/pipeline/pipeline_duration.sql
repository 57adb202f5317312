-- Time at work of successful pipeline runs, final attempts only: failing runs stop early.
-- Grain: one row per series and bucket. Unit: s. Reads: scope (run, series), buckets.
with asked as (select bool_or(with_sample) as for_sample from buckets),
runs as (
    select series, bucket, seconds, for_sample from scope cross join asked where what = 'run' and outcome = 'success'
),
durations as (
    select series, bucket, count(*) as n,
        quantile(seconds, 0.5) as p50, quantile(seconds, 0.95) as p95,
        avg(seconds) as mean, order_statistics(seconds) as ci,
        array_agg(seconds) filter (where for_sample) as sample
    from runs where seconds >= 0
    group by series, bucket
),
excluded as (
    select series, bucket,
        count(*) filter (where seconds is null) as no_start,
        count(*) filter (where seconds < 0) as clock_skew
    from runs
    group by series, bucket
)
select s.series, b.bucket,
    d.p50 as value,
    coalesce(d.n, 0) as n,
    d.p50 as quantile_p50, d.p95 as quantile_p95,
    d.ci['lo'] as ci_lo, d.ci['hi'] as ci_hi, 'order_statistic' as ci_method,
    coverage(coalesce(d.n, 0), coalesce(e.no_start + e.clock_skew, 0)) as coverage,
    d.mean as detail_mean,
    d.sample as sample,
    e.no_start as excluded_no_start, e.clock_skew as excluded_clock_skew
from scope s
cross join buckets b
left join durations d on d.series = s.series and d.bucket = b.bucket
left join excluded e on e.series = s.series and e.bucket = b.bucket
where s.what = 'series'
order by s.series, b.bucket

-- Time from ready-to-run to start, every attempt.
-- Grain: one row per series and bucket. Unit: s. Reads: scope (start, series), buckets.
with asked as (select bool_or(with_sample) as for_sample from buckets),
starts as (
    select series, bucket, seconds, for_sample from scope cross join asked where what = 'start'
),
waits as (
    select series, bucket, count(*) as n,
        quantile(seconds, 0.5) as p50, quantile(seconds, 0.95) as p95,
        avg(seconds) as mean, order_statistics(seconds) as ci,
        array_agg(seconds) filter (where for_sample) as sample
    from starts where seconds >= 0
    group by series, bucket
),
excluded as (
    select series, bucket,
        count(*) filter (where seconds is null) as no_queue_time,
        count(*) filter (where seconds < 0) as clock_skew
    from starts
    group by series, bucket
)
select s.series, b.bucket,
    w.p50 as value,
    coalesce(w.n, 0) as n,
    w.p50 as quantile_p50, w.p95 as quantile_p95,
    w.ci['lo'] as ci_lo, w.ci['hi'] as ci_hi, 'order_statistic' as ci_method,
    coverage(coalesce(w.n, 0), coalesce(e.no_queue_time + e.clock_skew, 0)) as coverage,
    w.mean as detail_mean,
    w.sample as sample,
    e.no_queue_time as excluded_no_queue_time, e.clock_skew as excluded_clock_skew
from scope s
cross join buckets b
left join waits w on w.series = s.series and w.bucket = b.bucket
left join excluded e on e.series = s.series and e.bucket = b.bucket
where s.what = 'series'
order by s.series, b.bucket

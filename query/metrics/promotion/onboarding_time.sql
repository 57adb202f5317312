-- Time from a service's first commit to its first deployment that succeeded: the median service.
-- Grain: one row per series and bucket. Unit: s. Reads: scope (onboarding, series), buckets.
with asked as (select bool_or(with_sample) as for_sample from buckets),
services as (
    select series, bucket, seconds_between(since, at) as seconds, for_sample
    from scope cross join asked where what = 'onboarding'
),
times as (
    select series, bucket, count(*) as n,
        quantile(seconds, 0.5) as p50, quantile(seconds, 0.75) as p75, quantile(seconds, 0.9) as p90,
        avg(seconds) as mean, order_statistics(seconds) as ranks,
        array_agg(seconds) filter (where for_sample) as sample
    from services where seconds >= 0
    group by series, bucket
),
left_out as (
    select series, bucket, count(*) as clock_skew
    from services where seconds < 0
    group by series, bucket
)
select s.series, b.bucket,
    t.p50 as value,
    coalesce(t.n, 0) as n,
    t.p50 as quantile_p50, t.p75 as quantile_p75, t.p90 as quantile_p90,
    t.ranks['lo'] as ci_lo, t.ranks['hi'] as ci_hi, 'order_statistic' as ci_method,
    coverage(coalesce(t.n, 0), coalesce(l.clock_skew, 0)) as coverage,
    t.mean as detail_mean,
    t.sample as sample,
    l.clock_skew as excluded_clock_skew
from scope s
cross join buckets b
left join times t on t.series = s.series and t.bucket = b.bucket
left join left_out l on l.series = s.series and l.bucket = b.bucket
where s.what = 'series'
order by s.series, b.bucket

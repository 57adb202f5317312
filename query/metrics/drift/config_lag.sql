-- Time from a commit of the configuration to its first success in an environment: the median.
-- Grain: one row per series and bucket. Unit: s. Reads: scope (config, series), buckets.
with commits as (
    select series, bucket, reason, seconds_between(since, at) as lag
    from scope where what = 'config'
),
lags as (
    select series, bucket, count(*) as n,
        quantile(lag, 0.5) as p50, quantile(lag, 0.9) as p90, avg(lag) as mean, order_statistics(lag) as ranks
    from commits where lag >= 0
    group by series, bucket
),
left_out as (
    select series, bucket,
        count(*) filter (where reason = 'no_commit') as no_commit,
        count(*) filter (where lag < 0) as clock_skew
    from commits
    group by series, bucket
)
select s.series, b.bucket,
    l.p50 as value,
    coalesce(l.n, 0) as n,
    l.p50 as quantile_p50, l.p90 as quantile_p90,
    l.ranks['lo'] as ci_lo, l.ranks['hi'] as ci_hi, 'order_statistic' as ci_method,
    coverage(coalesce(l.n, 0), coalesce(o.no_commit + o.clock_skew, 0)) as coverage,
    l.mean as detail_mean,
    o.no_commit as excluded_no_commit, o.clock_skew as excluded_clock_skew
from scope s
cross join buckets b
left join lags l on l.series = s.series and l.bucket = b.bucket
left join left_out o on o.series = s.series and o.bucket = b.bucket
where s.what = 'series'
order by s.series, b.bucket

-- Time of the jobs that a successful run had to wait for, one after the other.
-- Grain: one row per series and bucket. Unit: s. Reads: scope (path, step, excluded, series), buckets.
with paths as (
    select series, bucket, count(*) as n,
        quantile(seconds, 0.5) as p50, quantile(seconds, 0.95) as p95,
        avg(seconds) as mean, order_statistics(seconds) as ranks
    from scope where what = 'path'
    group by series, bucket
),
jobs as (select series, bucket, name, avg(seconds) as mean from scope where what = 'step' group by series, bucket, name),
ranked as (
    select series, bucket, 'job:' || name as name, mean,
        row_number() over (partition by series, bucket order by mean desc, name) as place
    from jobs
),
details as (
    select series, bucket, array_agg(name order by place) as names, array_agg(mean order by place) as means
    from ranked where place <= 10
    group by series, bucket
),
left_out as (select series, bucket, count(*) as no_jobs from scope where what = 'excluded' group by series, bucket)
select s.series, b.bucket,
    p.p50 as value,
    coalesce(p.n, 0) as n,
    p.p50 as quantile_p50, p.p95 as quantile_p95,
    p.ranks['lo'] as ci_lo, p.ranks['hi'] as ci_hi, 'order_statistic' as ci_method,
    coverage(coalesce(p.n, 0), coalesce(l.no_jobs, 0)) as coverage,
    p.mean as detail_mean, d.names as details_names, d.means as details_values,
    l.no_jobs as excluded_no_jobs
from scope s
cross join buckets b
left join paths p on p.series = s.series and p.bucket = b.bucket
left join details d on d.series = s.series and d.bucket = b.bucket
left join left_out l on l.series = s.series and l.bucket = b.bucket
where s.what = 'series'
order by s.series, b.bucket

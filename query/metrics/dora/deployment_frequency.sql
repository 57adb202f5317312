-- Deployments per day, days without one included; or the median week's days with a deployment, per day (df_stat).
-- Grain: one row per series and bucket. Unit: 1/d. Reads: scope (deployment, week, excluded, series), buckets.
with counted as (
    select series, bucket, count(*) as events
    from scope where what = 'deployment'
    group by series, bucket
),
excluded as (
    select series, bucket,
        count(*) filter (where reason = 'no_op') as no_op,
        count(*) filter (where reason = 'config_only') as config_only
    from scope where what = 'excluded'
    group by series, bucket
),
-- Only where the definitions tell of weeks.
weeks as (
    select w.series, w.bucket, w.week, cast(count(distinct d.day) as double) as days
    from scope w
    left join scope d on d.what = 'deployment' and d.series = w.series and d.bucket = w.bucket and d.week = w.week
    where w.what = 'week'
    group by w.series, w.bucket, w.week
),
median_weeks as (
    select w.series, w.bucket, quantile(w.days, 0.5, b.quantile_rule) as days
    from weeks w join buckets b on b.bucket = w.bucket
    group by w.series, w.bucket
),
measured as (
    select s.series, b.bucket, b.days, coalesce(c.events, 0) as events, b.df_stat = 'rate' as is_rate, m.days as days_per_week,
        -- Nothing is zero only where a source was connected all the while.
        c.events > 0 or s.at <= b.from_at or b.nothing_is_zero as is_known,
        coalesce(e.no_op, 0) as no_op, coalesce(e.config_only, 0) as config_only
    from scope s
    cross join buckets b
    left join counted c on c.series = s.series and c.bucket = b.bucket
    left join excluded e on e.series = s.series and e.bucket = b.bucket
    left join median_weeks m on m.series = s.series and m.bucket = b.bucket
    where s.what = 'series'
)
select series, bucket,
    case when is_known and is_rate then ratio(events, days) when is_known then days_per_week / 7 end as value,
    events as n,
    case when is_known and is_rate and days > 0 then cast(events as double) end as numerator,
    case when is_known and is_rate and days > 0 then days end as denominator,
    case when is_known and is_rate then garwood(events, days)['lo'] end as ci_lo,
    case when is_known and is_rate then garwood(events, days)['hi'] end as ci_hi,
    'garwood' as ci_method,
    coverage(events, 0) as coverage,
    case when is_known then days_per_week end as detail_median_deploy_days_per_week,
    no_op as excluded_no_op,
    config_only as excluded_config_only
from measured
order by series, bucket

-- Deployments per day, days without one included.
-- Grain: one row per series and bucket. Unit: 1/d. Reads: scope (deployment, excluded, series), buckets.
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
measured as (
    select s.series, b.bucket, b.days, coalesce(c.events, 0) as events,
        -- Nothing is zero only where a source was connected all the while.
        c.events > 0 or s.at <= b.from_at as is_known,
        coalesce(e.no_op, 0) as no_op, coalesce(e.config_only, 0) as config_only
    from scope s
    cross join buckets b
    left join counted c on c.series = s.series and c.bucket = b.bucket
    left join excluded e on e.series = s.series and e.bucket = b.bucket
    where s.what = 'series'
)
select series, bucket,
    case when is_known then ratio(events, days) end as value,
    events as n,
    case when is_known and days > 0 then cast(events as double) end as numerator,
    case when is_known and days > 0 then days end as denominator,
    case when is_known then garwood(events, days)['lo'] end as ci_lo,
    case when is_known then garwood(events, days)['hi'] end as ci_hi,
    'garwood' as ci_method,
    coverage(events, 0) as coverage,
    no_op as excluded_no_op,
    config_only as excluded_config_only
from measured
order by series, bucket

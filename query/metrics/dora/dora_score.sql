-- Quick Check score: the mean of the five metrics, each on the scale from 0 to 10 of the survey's answers.
-- Grain: one row per series and bucket. Unit: 1. Reads: scope (part, series), buckets.
with parts as (
    select series, bucket, reason as metric, count as n, is_passed,
        case
            when seconds is null then null
            when reason in ('change_fail_rate', 'rework_rate') then 10.0 - 10.0 * seconds
            when reason = 'deployment_frequency' then case
                when seconds >= 2.0 then 10.0
                when seconds >= 1.0 then 8.0
                when seconds >= 1.0 / 7.0 then 6.0
                when seconds >= 1.0 / 30.0 then 4.0
                when seconds >= 1.0 / 182.0 then 2.0
                else 0.0
            end
            when seconds < 3600.0 then 10.0
            when seconds < 86400.0 then 8.0
            when seconds < 7.0 * 86400.0 then 6.0
            when seconds < 30.0 * 86400.0 then 4.0
            when seconds < 182.0 * 86400.0 then 2.0
            else 0.0
        end as score
    from scope where what = 'part'
),
five as (
    select series, bucket, min(n) as n, bool_and(is_passed) as is_sufficient,
        max(score) filter (where metric = 'deployment_frequency') as deployment_frequency,
        max(score) filter (where metric = 'lead_time') as lead_time,
        max(score) filter (where metric = 'change_fail_rate') as change_fail_rate,
        max(score) filter (where metric = 'recovery_time') as recovery_time,
        max(score) filter (where metric = 'rework_rate') as rework_rate
    from parts
    group by series, bucket
)
select s.series, b.bucket,
    (f.deployment_frequency + f.lead_time + f.change_fail_rate + f.recovery_time + f.rework_rate) / 5.0 as value,
    coalesce(f.n, 0) as n,
    f.deployment_frequency as detail_deployment_frequency, f.lead_time as detail_lead_time,
    f.change_fail_rate as detail_change_fail_rate, f.recovery_time as detail_recovery_time, f.rework_rate as detail_rework_rate,
    (f.deployment_frequency + f.lead_time + f.recovery_time) / 3.0 as detail_throughput,
    (f.change_fail_rate + f.rework_rate) / 2.0 as detail_stability,
    not f.is_sufficient as is_insufficient
from scope s
cross join buckets b
left join five f on f.series = s.series and f.bucket = b.bucket
where s.what = 'series'
order by s.series, b.bucket

-- Time from a version's first success in a lower environment to its first success in the next: the median promotion.
-- Grain: one row per series and bucket. Unit: s. Reads: scope (promotion, waiting, series), buckets.
with promotions as (
    select series, bucket, count as skipped, reason, seconds_between(since, at) as lead
    from scope where what = 'promotion'
),
leads as (
    select series, bucket, count(*) as n,
        quantile(lead, 0.5) as p50, quantile(lead, 0.9) as p90, avg(lead) as mean, order_statistics(lead) as ranks,
        count(*) filter (where skipped > 0) as skipped
    from promotions where reason is null
    group by series, bucket
),
left_out as (
    select series, bucket,
        count(*) filter (where reason = 'no_lower_environment') as no_lower_environment,
        count(*) filter (where reason = 'out_of_order') as out_of_order
    from promotions where reason is not null
    group by series, bucket
),
waits as (
    -- Each promotion has one row of each reason: their means sum to the mean of the whole.
    select series, bucket,
        avg(seconds) filter (where reason = 'sync') as sync,
        avg(seconds) filter (where reason = 'approval') as approval,
        avg(seconds) filter (where reason = 'gate') as gate,
        avg(seconds) filter (where reason = 'tests') as tests,
        avg(seconds) filter (where reason = 'queue') as queue,
        avg(seconds) filter (where reason = 'idle') as idle
    from scope where what = 'waiting'
    group by series, bucket
)
select s.series, b.bucket,
    l.p50 as value,
    coalesce(l.n, 0) as n,
    l.p50 as quantile_p50, l.p90 as quantile_p90,
    l.ranks['lo'] as ci_lo, l.ranks['hi'] as ci_hi, 'order_statistic' as ci_method,
    coverage(l.n, 0) as coverage,
    l.mean as detail_mean, cast(l.skipped as double) as detail_skipped,
    w.sync as detail_waiting_sync, w.approval as detail_waiting_approval, w.gate as detail_waiting_gate,
    w.tests as detail_waiting_tests, w.queue as detail_waiting_queue, w.idle as detail_waiting_idle,
    o.no_lower_environment as excluded_no_lower_environment, o.out_of_order as excluded_out_of_order
from scope s
cross join buckets b
left join leads l on l.series = s.series and l.bucket = b.bucket
left join left_out o on o.series = s.series and o.bucket = b.bucket
left join waits w on w.series = s.series and w.bucket = b.bucket
where s.what = 'series'
order by s.series, b.bucket

-- Time of jobs (where jobs are not known: of runs) that failed and were green later on the same commit, or were cancelled.
-- Grain: one row per series and bucket. Unit: s. Reads: scope (work, series), buckets.
with work as (
    select series, bucket,
        case when outcome = 'cancellation' then 'cancelled'
            when outcome <> 'success' and remedied_at is not null then 'failed' end as waste,
        seconds
    from scope where what = 'work' and (has_concluded(outcome) or outcome = 'cancellation')
),
sums as (
    select series, bucket, count(*) as n,
        sum(seconds) as total,
        sum(case when waste is null then 0.0 else seconds end) as wasted,
        sum(case when waste = 'failed' then seconds else 0.0 end) as failed,
        sum(case when waste = 'cancelled' then seconds else 0.0 end) as cancelled
    from work
    group by series, bucket
)
select s.series, b.bucket,
    w.wasted as value,
    coalesce(w.n, 0) as n,
    coverage(w.n, 0) as coverage,
    w.failed as detail_failed, w.cancelled as detail_cancelled, ratio(w.wasted, w.total) as detail_share
from scope s
cross join buckets b
left join sums w on w.series = s.series and w.bucket = b.bucket
where s.what = 'series'
order by s.series, b.bucket

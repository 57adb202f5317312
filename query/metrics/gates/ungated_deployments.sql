-- Deployments that lacked a gate that they needed, or went on against one.
-- Grain: one row per series and bucket. Unit: count. Reads: scope (gate, excluded, series), buckets.
with gates as (
    select series, bucket, id,
        case when since is null then 'missing' when since > at then 'late' when not is_passed then 'failed' end as problem
    from scope where what = 'gate'
),
counts as (
    select series, bucket,
        count(distinct id) as deployments,
        count(distinct id) filter (where problem is not null) as ungated,
        count(*) filter (where problem = 'missing') as missing,
        count(*) filter (where problem = 'late') as late,
        count(*) filter (where problem = 'failed') as failed
    from gates
    group by series, bucket
),
left_out as (select series, bucket, count(*) as no_gate from scope where what = 'excluded' group by series, bucket)
select s.series, b.bucket,
    cast(c.ungated as double) as value,
    coalesce(c.deployments, 0) as n,
    coverage(c.deployments, 0) as coverage,
    cast(c.missing as double) as detail_missing, cast(c.late as double) as detail_late, cast(c.failed as double) as detail_failed,
    l.no_gate as excluded_no_gate
from scope s
cross join buckets b
left join counts c on c.series = s.series and c.bucket = b.bucket
left join left_out l on l.series = s.series and l.bucket = b.bucket
where s.what = 'series'
order by s.series, b.bucket

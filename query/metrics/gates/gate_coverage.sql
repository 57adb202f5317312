-- Share of the gates that deployments needed for which there was something before the deployment started.
-- Grain: one row per series and bucket. Unit: 1. Reads: scope (gate, excluded, series), buckets.
with gates as (
    select series, bucket, name,
        coalesce(since <= at, false) as is_present,
        coalesce(is_passed, false) as is_passed
    from scope where what = 'gate'
),
counts as (
    select series, bucket, count(*) filter (where is_present) as present, count(*) as needed
    from gates
    group by series, bucket
),
by_gate as (
    select series, bucket, name,
        ratio(count(*) filter (where is_present), count(*)) as present,
        ratio(count(*) filter (where is_passed), count(*)) as passed
    from gates
    group by series, bucket, name
),
named as (
    select series, bucket, name, present as share from by_gate
    union all
    select series, bucket, 'passed:' || name as name, passed as share from by_gate
),
details as (
    select series, bucket, array_agg(name order by name) as names, array_agg(share order by name) as shares
    from named
    group by series, bucket
),
left_out as (select series, bucket, count(*) as no_gate from scope where what = 'excluded' group by series, bucket)
select s.series, b.bucket,
    ratio(c.present, c.needed) as value,
    coalesce(c.needed, 0) as n,
    cast(c.present as double) as numerator, cast(c.needed as double) as denominator,
    wilson(c.present, c.needed)['lo'] as ci_lo, wilson(c.present, c.needed)['hi'] as ci_hi, 'wilson' as ci_method,
    coverage(c.needed, 0) as coverage,
    d.names as details_names, d.shares as details_values,
    l.no_gate as excluded_no_gate
from scope s
cross join buckets b
left join counts c on c.series = s.series and c.bucket = b.bucket
left join details d on d.series = s.series and d.bucket = b.bucket
left join left_out l on l.series = s.series and l.bucket = b.bucket
where s.what = 'series'
order by s.series, b.bucket

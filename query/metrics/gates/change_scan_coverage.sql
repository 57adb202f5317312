-- Share of merged changes that a SAST or SCA scan had looked at before the merge.
-- Grain: one row per series and bucket. Unit: 1. Reads: scope (change, scan, series), buckets.
with merged as (select series, bucket, count(*) as total from scope where what = 'change' group by series, bucket),
scanned as (
    select series, bucket,
        count(distinct id) as covered,
        count(distinct id) filter (where reason = 'sast') as sast,
        count(distinct id) filter (where reason = 'sca') as sca
    from scope where what = 'scan' and since <= at
    group by series, bucket
)
select s.series, b.bucket,
    ratio(coalesce(c.covered, 0), m.total) as value,
    coalesce(m.total, 0) as n,
    case when m.total > 0 then cast(coalesce(c.covered, 0) as double) end as numerator, cast(m.total as double) as denominator,
    wilson(coalesce(c.covered, 0), m.total)['lo'] as ci_lo, wilson(coalesce(c.covered, 0), m.total)['hi'] as ci_hi, 'wilson' as ci_method,
    coverage(m.total, 0) as coverage,
    ratio(coalesce(c.sast, 0), m.total) as detail_sast, ratio(coalesce(c.sca, 0), m.total) as detail_sca
from scope s
cross join buckets b
left join merged m on m.series = s.series and m.bucket = b.bucket
left join scanned c on c.series = s.series and c.bucket = b.bucket
where s.what = 'series'
order by s.series, b.bucket

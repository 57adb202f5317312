-- Services that run different versions on neighbouring rungs of their ladder, at a moment.
-- Grain: one row per series and bucket. Unit: count. Reads: scope (pair, series), buckets.
with pairs as (
    select series, bucket,
        count(distinct id) as services,
        count(distinct case when not is_passed then id end) as skewed,
        count(*) as pairs,
        count(*) filter (where not is_passed) as skewed_pairs
    from scope where what = 'pair'
    group by series, bucket
)
select s.series, b.bucket,
    cast(p.skewed as double) as value,
    coalesce(p.services, 0) as n,
    coverage(p.services, 0) as coverage,
    cast(p.pairs as double) as detail_pairs, cast(p.skewed_pairs as double) as detail_skewed_pairs
from scope s
cross join buckets b
left join pairs p on p.series = s.series and p.bucket = b.bucket
where s.what = 'series'
order by s.series, b.bucket

-- Share of the versions that entered an environment and reached the next within the horizon; those overtaken or still on their way apart.
-- Grain: one row per series and bucket. Unit: 1. Reads: scope (entry, series), buckets.
with entries as (
    select e.series, e.bucket,
        case
            when e.at < e.since then 'out_of_order'
            when e.at <= e.until then 'promoted'
            when e.remedied_at <= e.until then 'superseded'
            when e.until > q.as_of then 'open'
            else 'lapsed'
        end as fate
    from scope e cross join (select max(as_of) as as_of from buckets) q
    where e.what = 'entry'
),
fates as (
    select series, bucket,
        count(*) filter (where fate = 'promoted') as promoted,
        count(*) filter (where fate in ('promoted', 'lapsed')) as total,
        count(*) filter (where fate = 'superseded') as superseded,
        count(*) filter (where fate = 'open') as open,
        count(*) filter (where fate = 'out_of_order') as out_of_order
    from entries
    group by series, bucket
)
select s.series, b.bucket,
    ratio(f.promoted, f.total) as value,
    coalesce(f.total, 0) as n,
    case when f.total > 0 then cast(f.promoted as double) end as numerator,
    case when f.total > 0 then cast(f.total as double) end as denominator,
    wilson(f.promoted, f.total)['lo'] as ci_lo, wilson(f.promoted, f.total)['hi'] as ci_hi, 'wilson' as ci_method,
    coverage(f.total, 0) as coverage,
    cast(f.superseded as double) as detail_superseded, cast(f.open as double) as detail_open,
    f.out_of_order as excluded_out_of_order
from scope s
cross join buckets b
left join fates f on f.series = s.series and f.bucket = b.bucket
where s.what = 'series'
order by s.series, b.bucket

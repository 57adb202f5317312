-- Share of the services with pipelines whose last run on the default branch was built from a shared template, at a moment.
-- Grain: one row per series and bucket. Unit: 1. Reads: scope (service, series), buckets.
with services as (
    -- A service may stand in several pipelines.
    select series, bucket, id, bool_or(is_passed) as adopted
    from scope where what = 'service'
    group by series, bucket, id
),
counted as (
    select series, bucket, count(*) filter (where adopted) as adopted, count(*) as total
    from services
    group by series, bucket
)
select s.series, b.bucket,
    ratio(c.adopted, c.total) as value,
    coalesce(c.total, 0) as n,
    cast(c.adopted as double) as numerator, cast(c.total as double) as denominator,
    wilson(c.adopted, c.total)['lo'] as ci_lo, wilson(c.adopted, c.total)['hi'] as ci_hi, 'wilson' as ci_method,
    coverage(c.total, 0) as coverage
from scope s
cross join buckets b
left join counted c on c.series = s.series and c.bucket = b.bucket
where s.what = 'series'
order by s.series, b.bucket

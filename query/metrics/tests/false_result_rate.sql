-- Share of failed checks after a deployment that were false failures.
-- Grain: one row per series and bucket. Unit: 1. Reads: scope (check, series), buckets.
with failures as (
    select series, bucket,
        count(*) filter (where remedied_at is not null or until > at) as false_ones,
        count(*) filter (where remedied_at is not null) as passed_again,
        count(*) filter (where until > at) as too_early,
        count(*) as total
    from scope where what = 'check'
    group by series, bucket
)
select s.series, b.bucket,
    ratio(f.false_ones, f.total) as value,
    coalesce(f.total, 0) as n,
    cast(f.false_ones as double) as numerator, cast(f.total as double) as denominator,
    wilson(f.false_ones, f.total)['lo'] as ci_lo, wilson(f.false_ones, f.total)['hi'] as ci_hi, 'wilson' as ci_method,
    coverage(f.total, 0) as coverage,
    cast(f.passed_again as double) as detail_passed_again, cast(f.too_early as double) as detail_too_early
from scope s
cross join buckets b
left join failures f on f.series = s.series and f.bucket = b.bucket
where s.what = 'series'
order by s.series, b.bucket

-- Share of tests whose last result was a success.
-- Grain: one row per series and bucket. Unit: 1. Reads: scope (test, series), buckets.
with tests as (
    select series, bucket,
        count(*) filter (where is_passed) as passed, count(*) as total,
        count(*) filter (where is_passed and reason = 'pipeline') as passed_before,
        count(*) filter (where reason = 'pipeline') as total_before,
        count(*) filter (where is_passed and reason = 'post_deploy') as passed_after,
        count(*) filter (where reason = 'post_deploy') as total_after
    from scope where what = 'test'
    group by series, bucket
)
select s.series, b.bucket,
    ratio(t.passed, t.total) as value,
    coalesce(t.total, 0) as n,
    cast(t.passed as double) as numerator, cast(t.total as double) as denominator,
    wilson(t.passed, t.total)['lo'] as ci_lo, wilson(t.passed, t.total)['hi'] as ci_hi, 'wilson' as ci_method,
    coverage(t.total, 0) as coverage,
    ratio(t.passed_before, t.total_before) as detail_pipeline,
    ratio(t.passed_after, t.total_after) as detail_post_deploy
from scope s
cross join buckets b
left join tests t on t.series = s.series and t.bucket = b.bucket
where s.what = 'series'
order by s.series, b.bucket

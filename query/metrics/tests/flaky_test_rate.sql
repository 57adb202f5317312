-- Share of tests on a commit that both passed and failed there under one job.
-- Grain: one row per series and bucket. Unit: 1. Reads: scope (test, job, excluded, series), buckets.
with under_one_job as (
    select series, bucket, id, bool_or(is_passed) and bool_or(not is_passed) as is_flaky
    from scope where what = 'test'
    group by series, bucket, id, name
),
units as (
    select series, bucket, id, bool_or(is_flaky) as is_flaky
    from under_one_job
    group by series, bucket, id
),
tests as (
    select series, bucket, count(*) filter (where is_flaky) as flaky, count(*) as total
    from units
    group by series, bucket
),
attempted as (
    select series, bucket, id,
        coalesce(min(at) filter (where has_concluded(outcome) and outcome <> 'success') < max(at) filter (where outcome = 'success'), false) as is_flaky
    from scope where what = 'job'
    group by series, bucket, id
),
jobs as (
    select series, bucket, count(*) filter (where is_flaky) as flaky, count(*) as total
    from attempted
    group by series, bucket
),
left_out as (select series, bucket, count(*) as no_sha from scope where what = 'excluded' group by series, bucket)
select s.series, b.bucket,
    ratio(t.flaky, t.total) as value,
    coalesce(t.total, 0) as n,
    cast(t.flaky as double) as numerator, cast(t.total as double) as denominator,
    wilson(t.flaky, t.total)['lo'] as ci_lo, wilson(t.flaky, t.total)['hi'] as ci_hi, 'wilson' as ci_method,
    coverage(coalesce(t.total, 0), coalesce(l.no_sha, 0)) as coverage,
    ratio(j.flaky, j.total) as detail_flaky_job_rate,
    cast(j.flaky as double) as detail_flaky_jobs, cast(j.total as double) as detail_jobs,
    l.no_sha as excluded_no_sha
from scope s
cross join buckets b
left join tests t on t.series = s.series and t.bucket = b.bucket
left join jobs j on j.series = s.series and j.bucket = b.bucket
left join left_out l on l.series = s.series and l.bucket = b.bucket
where s.what = 'series'
order by s.series, b.bucket

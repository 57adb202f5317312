-- Time from the end of a failed deployment to the end of the failure, those still open included as such.
-- Grain: one row per series and bucket. Unit: s. Reads: scope (deployment, failure, incident, series), buckets.
with asked as (select max(as_of) as as_of, bool_or(with_sample) as for_sample from buckets),
failures as (
    select f.series, f.bucket, f.id, q.as_of, q.for_sample,
        min(f.since) as since,
        count(*) filter (where f.is_incident) as incidents,
        count(*) filter (where f.is_incident and (f.until is null or f.until > q.as_of)) as open_incidents,
        max(f.until) filter (where f.is_incident) as resolved_at,
        min(f.remedied_at) filter (where f.remedied_at <= q.as_of) as remedied_at
    from scope f cross join asked q
    where f.what = 'failure' and f.at <= q.as_of
    group by f.series, f.bucket, f.id, q.as_of, q.for_sample
),
ended as (
    select series, bucket, as_of, for_sample, since,
        case when incidents = 0 then remedied_at when open_incidents = 0 then resolved_at end as until
    from failures
),
times as (
    select series, bucket, for_sample, until is not null as is_over, seconds_between(since, coalesce(until, as_of)) as seconds
    from ended
),
recovery as (
    select series, bucket, count(*) as n,
        kaplan_meier(seconds, is_over) as km,
        array_agg(seconds) filter (where for_sample) as sample, array_agg(is_over) filter (where for_sample) as sample_is_over
    from times where seconds >= 0
    group by series, bucket
),
excluded as (
    select series, bucket, count(*) as resolved_before_deploy
    from times where seconds < 0
    group by series, bucket
),
incidents as (
    select series, bucket,
        count(*) filter (where reason = 'attributed') as attributed,
        count(*) filter (where reason = 'unattributed') as unattributed
    from scope where what = 'incident'
    group by series, bucket
),
sources as (select count(*) > 0 as has_incidents from scope where what = 'incident_source')
select s.series, b.bucket,
    r.km['median'] as value,
    coalesce(r.n, 0) as n,
    r.km['lo'] as ci_lo, r.km['hi'] as ci_hi, 'kaplan_meier' as ci_method,
    case when not sources.has_incidents then 0.0
        else coalesce(coverage(i.attributed, i.unattributed), 1.0) end as coverage,
    r.km['median_ended'] as detail_median_resolved,
    r.sample as sample, r.sample_is_over as sample_is_over,
    e.resolved_before_deploy as excluded_resolved_before_deploy, i.unattributed as excluded_unattributed
from scope s
cross join buckets b
cross join sources
left join recovery r on r.series = s.series and r.bucket = b.bucket
left join excluded e on e.series = s.series and e.bucket = b.bucket
left join incidents i on i.series = s.series and i.bucket = b.bucket
where s.what = 'series'
order by s.series, b.bucket

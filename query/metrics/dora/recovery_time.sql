-- Time from the end of a failed deployment to the end of the failure, those still open included as such. By other definitions of
-- incidents instead (recovers_incidents), rounded (recovery_round), only of what is over (censoring).
-- Grain: one row per series and bucket. Unit: s. Reads: scope (deployment, failure, recovery, incident, series), buckets.
with asked as (
    select max(as_of) as as_of, max(cfr_num) as cfr_num, bool_or(recovers_incidents) as recovers_incidents,
        bool_or(with_sample) as for_sample, max(recovery_round) as recovery_round, max(quantile_rule) as rule, max(censoring) as censoring
    from buckets
),
failures as (
    select f.series, f.bucket, f.id, q.as_of, q.recovery_round, q.rule, q.censoring, q.for_sample,
        min(f.since) as since,
        count(*) filter (where f.is_incident) as incidents,
        count(*) filter (where f.is_incident and (f.until is null or f.until > q.as_of)) as open_incidents,
        max(f.until) filter (where f.is_incident) as resolved_at,
        min(f.remedied_at) filter (where f.remedied_at <= q.as_of) as remedied_at
    from scope f cross join asked q
    where f.at <= q.as_of and case when q.recovers_incidents then f.what = 'recovery'
        else f.what = 'failure' and is_failure(f.reason, q.cfr_num) end
    group by f.series, f.bucket, f.id, q.as_of, q.recovery_round, q.rule, q.censoring, q.for_sample
),
ended as (
    select series, bucket, as_of, recovery_round, rule, censoring, for_sample, since,
        case when incidents = 0 then remedied_at when open_incidents = 0 then resolved_at end as until
    from failures
),
times as (
    select series, bucket, rule, censoring, for_sample, until is not null as is_over,
        rounded(seconds_between(since, coalesce(until, as_of)), recovery_round) as seconds
    from ended
),
recovery as (
    select series, bucket, count(*) filter (where is_over or censoring = 'km') as n,
        kaplan_meier(seconds, is_over) as km, quantile(seconds, 0.5, rule) filter (where is_over) as middle,
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
    case when coalesce(r.n, 0) = 0 and b.nothing_is_zero then 0.0 when b.censoring = 'km' then r.km['median']
        when b.quantile_rule = 'mean' then r.km['mean_ended'] else r.middle end as value,
    coalesce(r.n, 0) as n,
    case when b.censoring = 'km' then r.km['lo'] end as ci_lo, case when b.censoring = 'km' then r.km['hi'] end as ci_hi,
    case when b.censoring = 'km' then 'kaplan_meier' end as ci_method,
    -- Where recovery begins with a deployment, an incident without one is missing.
    case when not sources.has_incidents then 0.0 when b.recovery_start <> 'deploy' then 1.0
        else coalesce(coverage(i.attributed, i.unattributed), 1.0) end as coverage,
    r.km['median_ended'] as detail_median_resolved,
    r.sample as sample, r.sample_is_over as sample_is_over,
    e.resolved_before_deploy as excluded_resolved_before_deploy,
    case when b.recovery_start = 'deploy' then i.unattributed end as excluded_unattributed
from scope s
cross join buckets b
cross join sources
left join recovery r on r.series = s.series and r.bucket = b.bucket
left join excluded e on e.series = s.series and e.bucket = b.bucket
left join incidents i on i.series = s.series and i.bucket = b.bucket
where s.what = 'series'
order by s.series, b.bucket

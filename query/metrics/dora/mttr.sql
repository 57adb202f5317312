-- Time from the start of a production incident to its end, those still open included as such. By other definitions rounded
-- (recovery_round), only of what is over (censoring).
-- Grain: one row per series and bucket. Unit: s. Reads: scope (incident, series), buckets.
with times as (
    select i.series, i.bucket, q.rule, q.censoring,
        i.until is not null and i.until <= q.as_of as is_over,
        rounded(seconds_between(i.since, case when i.until <= q.as_of then i.until else q.as_of end), q.recovery_round) as seconds
    from scope i
    cross join (
        select max(as_of) as as_of, max(recovery_round) as recovery_round, max(quantile_rule) as rule, max(censoring) as censoring
        from buckets
    ) q
    where i.what = 'incident'
),
restored as (
    select series, bucket, count(*) filter (where is_over or censoring = 'km') as n,
        kaplan_meier(seconds, is_over) as km, quantile(seconds, 0.5, rule) filter (where is_over) as middle
    from times where seconds >= 0
    group by series, bucket
),
excluded as (
    select series, bucket, count(*) as clock_skew
    from times where seconds < 0
    group by series, bucket
)
select s.series, b.bucket,
    case when coalesce(r.n, 0) = 0 and b.nothing_is_zero then 0.0 when b.censoring = 'km' then r.km['median']
        when b.quantile_rule = 'mean' then r.km['mean_ended'] else r.middle end as value,
    coalesce(r.n, 0) as n,
    case when b.censoring = 'km' then r.km['lo'] end as ci_lo, case when b.censoring = 'km' then r.km['hi'] end as ci_hi,
    case when b.censoring = 'km' then 'kaplan_meier' end as ci_method,
    coverage(coalesce(r.n, 0), coalesce(e.clock_skew, 0)) as coverage,
    r.km['mean_ended'] as detail_mean, r.km['median_ended'] as detail_median_resolved,
    e.clock_skew as excluded_clock_skew
from scope s
cross join buckets b
left join restored r on r.series = s.series and r.bucket = b.bucket
left join excluded e on e.series = s.series and e.bucket = b.bucket
where s.what = 'series'
order by s.series, b.bucket

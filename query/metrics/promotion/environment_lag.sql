-- Commits that run on a rung of the ladder and not yet on the next, at a moment.
-- Grain: one row per series and bucket. Unit: count. Reads: scope (pair, series), buckets.
with pairs as (
    select p.series, p.bucket,
        count(*) filter (where p.reason is null) as n,
        sum(p.count) as commits,
        max(seconds_between(p.since, b.state_at)) as staleness,
        count(*) filter (where p.reason = 'no_source_link') as no_source_link,
        count(*) filter (where p.reason = 'no_graph') as no_graph,
        count(*) filter (where p.reason = 'no_files') as no_files
    from scope p join buckets b on b.bucket = p.bucket
    where p.what = 'pair'
    group by p.series, p.bucket
)
select s.series, b.bucket,
    cast(p.commits as double) as value,
    coalesce(p.n, 0) as n,
    coverage(coalesce(p.n, 0), coalesce(p.no_source_link + p.no_graph + p.no_files, 0)) as coverage,
    p.staleness as detail_staleness,
    p.no_source_link as excluded_no_source_link, p.no_graph as excluded_no_graph, p.no_files as excluded_no_files
from scope s
cross join buckets b
left join pairs p on p.series = s.series and p.bucket = b.bucket
where s.what = 'series'
order by s.series, b.bucket

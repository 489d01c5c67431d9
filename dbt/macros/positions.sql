{#
    How far each model has come. Three small tables in core, written only inside the transaction of the model they speak of,
    so that a killed run leaves either both or neither:

    build_position    one row per model: processed_seq (the greatest number of its input that is in it: _load_seq of raw, or
                      written_seq of the model before), written_seq (grows when its own rows change), full_seq (written_seq
                      of its last creation or full refresh), input_hash (what it was built with besides rows), horizon_at.
    touched_key       keys that a model changed and the next one has not taken over yet; the consumer deletes them.
    case_touched_day  append-only: the calendar days a change of fct_case touched, under its written_seq.
#}
{% macro build_table(name) %}
    {{- return(api.Relation.create(database=target.database, schema=target.schema, identifier=name, type='table')) -}}
{% endmacro %}

{% macro create_build_tables() %}
create table if not exists {{ build_table('build_position') }} (
    model {{ column_type('text') }}, processed_seq bigint, written_seq bigint, full_seq bigint,
    input_hash {{ column_type('text') }}, horizon_at timestamp
);
create table if not exists {{ build_table('touched_key') }} (
    model {{ column_type('text') }}, touched {{ column_type('text') }}, batch bigint
);
create table if not exists {{ build_table('case_touched_day') }} (day date, batch bigint);
    {#- a hook's table is unknown to dbt's cache until the next run -#}
    {%- if execute -%}
        {%- do adapter.cache_added(build_table('build_position')) -%}
    {%- endif -%}
{% endmacro %}

{# The position of a model: {processed_seq, written_seq, full_seq, input_hash}, or none before it was first built. #}
{% macro position(model_name) %}
    {%- if not execute or not load_relation(build_table('build_position')) -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set rows = run_query(
        "select processed_seq, written_seq, full_seq, input_hash from " ~ build_table('build_position')
        ~ " where model = '" ~ model_name ~ "'"
    ).rows -%}
    {%- if not rows -%}
        {{ return(none) }}
    {%- endif -%}
    {{ return({
        'processed_seq': rows[0][0] | int, 'written_seq': rows[0][1] | int, 'full_seq': rows[0][2] | int, 'input_hash': rows[0][3]
    }) }}
{% endmacro %}

{# The number up to which the current model has processed its input; a literal, so that files are pruned by it. #}
{% macro processed_seq() %}
    {%- set own = position(model.name) -%}
    {{- return(own['processed_seq'] if own else -1) -}}
{% endmacro %}

{#
    Whether the current incremental model has to look at every row again: its code, a mapping seed, an area or a grid changed,
    or the model before it was built anew.
#}
{% macro recompute_all() %}
    {%- if not execute -%}
        {{ return(false) }}
    {%- endif -%}
    {%- set own = position(model.name) -%}
    {%- if not own or own['input_hash'] != input_hash(model, own_code()) -%}
        {{ return(true) }}
    {%- endif -%}
    {%- set upstream = config.get('upstream') -%}
    {%- set before = position(upstream) if upstream -%}
    {{ return(before and before['full_seq'] > own['processed_seq']) }}
{% endmacro %}

{# True where only what has changed is to be computed. #}
{% macro only_changes() %}
    {{- return(is_incremental() and not recompute_all()) -}}
{% endmacro %}

{#
    A hash of everything but rows that a model is built with. Seeds enter by their text, views by what they were made of, tables
    by written_seq (which grows only when their content changes). For a table also its sources (greatest _load_seq) and
    incremental models enter; an incremental model follows those by its position instead.

    code: the model's own code. Of a table and a view it is the compiled SQL, in which every macro, variable and setting has its
    say. An incremental model's compiled SQL is another one in each run, so there it is its text, and with it all macros,
    variables and settings (GRIDLAKE_DBT_TOLD).
#}
{% macro input_hash(node, code, with_rows=false) %}
    {%- set found = {} -%}
    {%- do collect_inputs(node, found, with_rows) -%}
    {%- set sources = [] -%}
    {#- of what landing records only snapshots say what stands -#}
    {%- set sequences = {'raw': 'max(_load_seq)', 'ops': 'max(case when snapshot_group is not null then load_seq end)'} -%}
    {%- for key in found if found[key] in sequences -%}
        {%- do sources.append("select '" ~ key ~ "' as name, " ~ sequences[found[key]] ~ " as load_seq from " ~ key) -%}
    {%- endfor -%}
    {#- before the names of sources give way to their numbers -#}
    {%- set withdrawn = withdrawn_seq(found) -%}
    {%- if sources -%}
        {%- for row in run_query(sources | join(' union all ')).rows -%}
            {%- do found.update({row[0]: row[1] | string}) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- set parts = [code ~ withdrawn] -%}
    {%- for key in found | sort -%}
        {%- do parts.append(key ~ '=' ~ found[key]) -%}
    {%- endfor -%}
    {{- return(local_md5(parts | join(';'))) -}}
{% endmacro %}

{#
    The code of the current incremental model, with all that could change its compiled SQL. One that reads what landed also looks at
    everything again after a withdrawal: rows that are gone leave no number behind.
#}
{% macro own_code() %}
    {%- set code = model.checksum.checksum ~ env_var('GRIDLAKE_DBT_TOLD', '') -%}
    {%- if config.get('upstream') -%}
        {{- return(code) -}}
    {%- endif -%}
    {%- set found = {} -%}
    {%- do collect_inputs(model, found, true) -%}
    {{- return(code ~ withdrawn_seq(found)) -}}
{% endmacro %}

{#
    The number of the last withdrawal, or undoing of one, of the data sets among these inputs (relations of sources, see
    collect_inputs); empty where there is none, so that it then has no say.
#}
{% macro withdrawn_seq(found) %}
    {%- set datasets = [] -%}
    {%- for source in graph.sources.values() if source.source_name == 'raw' and source.relation_name in found -%}
        {%- do datasets.append("'" ~ source.name ~ "'") -%}
    {%- endfor -%}
    {%- if not datasets -%}
        {{- return('') -}}
    {%- endif -%}
    {%- set record = api.Relation.create(database=target.database, schema='ops', identifier='withdrawal') -%}
    {%- set number = run_query(
        'select max(greatest(withdrawal_seq, coalesce(undone_seq, 0))) from ' ~ record ~ ' where dataset in ('
        ~ datasets | join(', ') ~ ')'
    ).rows[0][0] -%}
    {{- return(' withdrawn ' ~ number if number else '') -}}
{% endmacro %}

{% macro collect_inputs(node, found, with_rows) %}
    {%- for id in node.depends_on.nodes -%}
        {%- if id.startswith('source.') -%}
            {%- if with_rows -%}
                {%- set source = graph.sources[id] -%}
                {%- do found.update({source.relation_name: source.source_name}) -%}
            {%- endif -%}
        {%- else -%}
            {%- set input = graph.nodes[id] -%}
            {%- if input.resource_type == 'seed' -%}
                {%- do found.update({id: input.checksum.checksum}) -%}
            {%- elif input.config.materialized in ['view', 'ephemeral'] -%}
                {%- set before = position(input.name) -%}
                {%- do found.update({id: before['input_hash'] if before else input.checksum.checksum}) -%}
                {%- do collect_inputs(input, found, with_rows) -%}
            {%- elif with_rows or input.config.materialized == 'table' -%}
                {%- set before = position(input.name) -%}
                {%- do found.update({id: (before['written_seq'] if before else 0) | string}) -%}
            {%- endif -%}
        {%- endif -%}
    {%- endfor -%}
{% endmacro %}

{# Write a model's position if it differs from what stands there; to be run inside the model's transaction. #}
{% macro write_position(model_name, processed, written, full, hash, horizon='cast(null as timestamp)') %}
delete from {{ build_table('build_position') }} where model = '{{ model_name }}';
insert into {{ build_table('build_position') }}
select '{{ model_name }}', {{ processed }}, {{ written }}, {{ full }}, '{{ hash }}', {{ horizon }};
{% endmacro %}

{#
    Post-hook of an incremental model. `to` is read in the model's own transaction, hence from the snapshot its rows came from:
    a delivery that lands in between is above it and is read by the next run.
#}
{% macro record_position() %}
    {%- if execute -%}
        {%- set own = position(model.name) -%}
        {%- set built_anew = not is_incremental() -%}
        {%- set upstream = config.get('upstream') -%}
        {%- if upstream -%}
            {%- set processed = position(upstream)['written_seq'] -%}
        {%- else -%}
            {%- set processed = run_query('select coalesce(max(_load_seq), -1) from ' ~ ref('int_case_version')).rows[0][0] | int -%}
        {%- endif -%}
        {%- set changed = built_anew or (run_query('select coalesce(sum(row_count), 0) from changed_count').rows[0][0] | int) > 0 -%}
        {%- set old = own or {'processed_seq': -1, 'written_seq': 0, 'full_seq': 0, 'input_hash': ''} -%}
        {%- set written = old['written_seq'] + 1 if changed else old['written_seq'] -%}
        {%- set hash = input_hash(model, own_code()) -%}
        {%- if changed or processed != old['processed_seq'] or hash != old['input_hash'] -%}
{{ write_position(
    model.name, processed, written, written if built_anew else old['full_seq'], hash, horizon_of(model.name)
) }}
            {%- if upstream %}
delete from {{ build_table('touched_key') }} where model = '{{ upstream }}' and batch <= {{ processed }};
            {%- endif -%}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}

{# The as-of moment that due measures were judged by and stocks were drawn up to. #}
{% macro horizon_of(model_name) %}
    {%- if model_name in ['int_case_day', 'indicator_value'] -%}
        (select as_of from ({{ data_horizon() }}) as horizon)
    {%- else -%}
        cast(null as timestamp)
    {%- endif -%}
{% endmacro %}

{#
    DuckDB's table, view, incremental and seed, each with one thing added. Of the incremental one further below; for the others: nothing is done when nothing it is made of has changed, and a
    table whose content comes out equal is left as it is. dbt's own rewrite every table on every run, which on a lake
    means new files and a snapshot each time, and would make every case be assigned anew because an equal grid was rewritten.
    Model and position commit together. Another engine uses its adapter's own.
#}
{% macro is_unchanged(model_name, existing, hash) %}
    {%- if existing is none or should_full_refresh() -%}
        {{ return(false) }}
    {%- endif -%}
    {%- set own = position(model_name) -%}
    {{ return(own is not none and own['input_hash'] == hash) }}
{% endmacro %}

{% macro record_build(model_name, changed, hash) %}
    {%- set own = position(model_name) or {'written_seq': 0} -%}
    {%- set written = own['written_seq'] + (1 if changed else 0) -%}
    {%- call statement('record_build') -%}
        {{ write_position(model_name, 0, written, written, hash) }}
    {%- endcall -%}
{% endmacro %}

{# Open the transaction before anything is read, so that the rows and the hash of what they came from are of one snapshot. #}
{% macro begin_build() %}
    {%- call statement('begin_build') -%} select 1 {%- endcall -%}
{% endmacro %}

{% materialization view, adapter='duckdb' %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='view') -%}
    {%- set hash = input_hash(model, sql) -%}
    {%- if existing is not none and existing.is_view and is_unchanged(model.name, existing, hash) -%}
        {%- call noop_statement('main', 'UNCHANGED', 'UNCHANGED') -%}{%- endcall -%}
    {%- else -%}
        {%- do begin_build() -%}
        {{ run_hooks(pre_hooks) }}
        {%- if existing is not none -%}
            {%- do adapter.drop_relation(existing) -%}
        {%- endif -%}
        {%- call statement('main') -%} {{ get_create_view_as_sql(target_relation, sql) }} {%- endcall -%}
        {%- do record_build(model.name, true, hash) -%}
        {{ run_hooks(post_hooks) }}
        {%- do adapter.commit() -%}
    {%- endif -%}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{% materialization table, adapter='duckdb' %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set hash = input_hash(model, sql, with_rows=true) -%}
    {%- if existing is not none and existing.is_table and is_unchanged(model.name, existing, hash) -%}
        {%- call noop_statement('main', 'UNCHANGED', 'UNCHANGED') -%}{%- endcall -%}
    {%- else -%}
        {%- do begin_build() -%}
        {%- set hash = input_hash(model, sql, with_rows=true) -%}
        {{ run_hooks(pre_hooks) }}
        {%- set names = (adapter.get_columns_in_relation(existing) | map(attribute='name') | list) if existing -%}
        {%- if existing is none or not existing.is_table or names != (model.columns.keys() | list) or should_full_refresh() -%}
            {%- if existing is not none -%}
                {%- do adapter.drop_relation(existing) -%}
            {%- endif -%}
            {%- call statement('main') -%} {{ create_table_as(false, target_relation, sql) }} {%- endcall -%}
            {%- set changed = true -%}
        {%- else -%}
            {%- set fresh = make_temp_relation(target_relation) -%}
            {%- call statement('fresh') -%} {{ create_table_as(true, fresh, sql) }} {%- endcall -%}
            {%- set columns = names | join(', ') -%}
            {%- set differing = run_query(
                'select count(*) from ((select ' ~ columns ~ ' from ' ~ fresh ~ ' except select ' ~ columns ~ ' from '
                ~ target_relation ~ ') union all (select ' ~ columns ~ ' from ' ~ target_relation ~ ' except select '
                ~ columns ~ ' from ' ~ fresh ~ ')) as differing'
            ).rows[0][0] | int -%}
            {%- set changed = differing > 0 -%}
            {%- call statement('main') -%}
                {%- if changed -%}
                    delete from {{ target_relation }};
                    insert into {{ target_relation }} ({{ columns }}) select {{ columns }} from {{ fresh }};
                {%- else -%}
                    select 1
                {%- endif -%}
            {%- endcall -%}
        {%- endif -%}
        {%- do record_build(model.name, changed, hash) -%}
        {{ run_hooks(post_hooks) }}
        {%- do adapter.commit() -%}
    {%- endif -%}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{#
    An incremental model is computed and compared batch by batch (recompute.sql), so that its size is not bounded by memory. All of its
    batches, its log and its position commit together.
#}
{% materialization incremental, adapter='duckdb' %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='table') -%}
    {{ run_hooks(pre_hooks) }}
    {%- if existing is none or not existing.is_table or should_full_refresh() -%}
        {%- set batches = batches_of_months() -%}
        {%- if existing is not none -%}
            {%- do adapter.drop_relation(existing) -%}
        {%- endif -%}
        {%- call statement('main') -%} {{ create_table_as(false, target_relation, within_batch(sql, batches[0])) }} {%- endcall -%}
        {%- for batch in batches[1:] -%}
            {%- call statement('batch') -%} insert into {{ target_relation }} by name {{ within_batch(sql, batch) }} {%- endcall -%}
        {%- endfor -%}
    {%- else -%}
        {%- set fresh = make_temp_relation(target_relation) -%}
        {%- set columns = [] -%}
        {%- call statement('changed_count') -%} {{ no_changes_yet() }} {%- endcall -%}
        {%- set batches = batches_of_months() -%}
        {%- if not batches -%}
            {%- call noop_statement('main', 'UNTOUCHED', 'UNTOUCHED') -%}{%- endcall -%}
        {%- endif -%}
        {%- for batch in batches -%}
            {%- call statement('fresh') -%} {{ create_table_as(true, fresh, within_batch(sql, batch)) }} {%- endcall -%}
            {%- if loop.first -%}
                {%- do adapter.expand_target_column_types(from_relation=fresh, to_relation=target_relation) -%}
                {%- do columns.extend(process_schema_changes(config.get('on_schema_change'), fresh, existing)
                    or adapter.get_columns_in_relation(existing)) -%}
            {%- endif -%}
            {%- call statement('main') -%}
                {{ get_incremental_recompute_sql({
                    'target_relation': target_relation, 'temp_relation': fresh, 'unique_key': config.get('unique_key'),
                    'dest_columns': columns, 'batch': batch
                }) }}
            {%- endcall -%}
            {%- do adapter.drop_relation(fresh) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ run_hooks(post_hooks) }}
    {%- do adapter.commit() -%}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{# Every column of a seed is text unless column_types says otherwise: guessing would turn the code 0101 into 101. #}
{% materialization seed, adapter='duckdb' %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set types = model.config.column_types -%}
    {%- set hash = local_md5(model.checksum.checksum ~ (types | string)) -%}
    {%- set path = adapter.get_seed_file_path(model) | replace("'", "''") -%}
    {%- set rows = "read_csv('" ~ path ~ "', all_varchar = true, header = true, delim = ',', quote = '\"', escape = '\"')" -%}
    {%- if is_unchanged(model.name, existing, hash) -%}
        {%- call noop_statement('main', 'UNCHANGED', 'UNCHANGED') -%}{%- endcall -%}
    {%- else -%}
        {%- do begin_build() -%}
        {%- if existing is not none -%}
            {%- do adapter.drop_relation(existing) -%}
        {%- endif -%}
        {%- call statement('main') -%}
            create table {{ target_relation }} as
            select
                {%- for name in run_query('select * from ' ~ rows ~ ' limit 0').column_names %}
                cast({{ adapter.quote(name) }} as {{ types.get(name, 'varchar') }}) as {{ name }}{{ ',' if not loop.last }}
                {%- endfor %}
            from {{ rows }}
        {%- endcall -%}
        {%- do record_build(model.name, true, hash) -%}
        {{ run_hooks(post_hooks) }}
        {%- do adapter.commit() -%}
    {%- endif -%}
    {#- dbt asks for the loaded rows; they stay in the engine -#}
    {%- do store_result('agate_table', response='OK', agate_table=run_query('select 1 as loaded')) -%}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

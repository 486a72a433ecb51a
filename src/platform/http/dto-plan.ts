import 'reflect-metadata';
import { getMetadataStorage, type ValidationArguments, type ValidatorConstraintInterface } from 'class-validator';
import { createRequire } from 'node:module';
import { EMPTY_IS_ABSENT } from './empty-list.decorator';
import { isNullable } from './nullable.decorator';
import { READ_TEXT, type ReadText } from './query-text';

export type DtoClass<T extends object = object> = new () => T;

type Condition = (object: object, value: unknown) => boolean;

/** One constraint of a field, as class-validator's decorators declare it. */
export interface Rule {
  /** class-validator's name of the constraint, e.g. `maxLength`. */
  readonly name: string;
  readonly each: boolean;
  readonly constraint: ValidatorConstraintInterface;
  readonly constraints: unknown[];
  readonly condition: Condition | undefined;
}

export interface FieldPlan {
  readonly name: string;
  /** Has `@IsOptional()`: checked only when it is there. */
  readonly optional: boolean;
  /** A `null` is handed on (see `Nullable`). */
  readonly nullable: boolean;
  readonly conditions: readonly Condition[];
  readonly rules: readonly Rule[];
  /** Has `@ValidateNested()`. */
  readonly nested: boolean;
  /** A nested field that takes a list of objects, not one. */
  readonly list: boolean;
  /** The class of `@Type(() => Class)`; only where `nested`. */
  readonly nestedClass: (() => DtoClass) | undefined;
  /** What a text of a query is converted to, from `@Type(() => Number)`. */
  readonly textType: 'number' | 'boolean' | undefined;
  /** An empty list is taken as if the field was not there. */
  readonly emptyIsAbsent: boolean;
  /** How a text of a query is put right before it is checked. */
  readonly readText: ReadText | undefined;
}

/** What a DTO class declares, worked out once. */
export interface DtoPlan {
  readonly dto: DtoClass;
  readonly fields: ReadonlyMap<string, FieldPlan>;
  readonly list: readonly FieldPlan[];
}

interface TransformerStorage {
  findTypeMetadata(
    target: Function,
    name: string,
  ): { typeFunction(): unknown; options?: { discriminator?: unknown } } | undefined;
  findTransformMetadatas(target: Function, name: string, type: number): unknown[];
  findExposeMetadata(target: Function, name: string): unknown;
  findExcludeMetadata(target: Function, name: string): unknown;
}

// class-transformer does not export its storage by name; Nest's own packages read it in the same way.
const { defaultMetadataStorage: transformer } = createRequire(__filename)('class-transformer/cjs/storage') as {
  defaultMetadataStorage: TransformerStorage;
};
const PLAIN_TO_CLASS = 0;

const plans = new Map<DtoClass, DtoPlan>();

/** @throws Error for a DTO that uses what the reader does not know: found at the first request of a route, and by its test */
export function planOf(dto: DtoClass): DtoPlan {
  let plan = plans.get(dto);
  if (plan === undefined) plans.set(dto, (plan = compile(dto)));
  return plan;
}

function compile(dto: DtoClass): DtoPlan {
  const storage = getMetadataStorage();
  // The schema name and the groups play no part: schemas are deprecated, groups are refused below.
  const metadata = storage.getTargetValidationMetadatas(dto, undefined as unknown as string, false, false);
  const fields = new Map<string, FieldPlan>();
  for (const name of new Set(metadata.map((one) => one.propertyName))) {
    const own = metadata.filter((one) => one.propertyName === name);
    const rules: Rule[] = [];
    const conditions: Condition[] = [];
    let optional = false;
    let readText: ReadText | undefined;
    let emptyIsAbsent = false;
    for (const one of own) {
      const where = `${dto.name}.${name}`;
      if (one.groups?.length) throw new Error(`${where}: validation groups are not supported`);
      if (one.type === 'conditionalValidation') {
        if (one.name === 'isOptional') optional = true;
        else conditions.push(one.constraints[0] as Condition);
      } else if (one.name === READ_TEXT) {
        readText = one.constraints[0] as ReadText;
      } else if (one.name === EMPTY_IS_ABSENT) {
        emptyIsAbsent = true;
      } else if (one.type === 'customValidation' || one.type === 'isDefined') {
        for (const found of storage.getTargetValidatorConstraints(one.constraintCls)) {
          if (found.async) throw new Error(`${where}: asynchronous constraints are not supported`);
          rules.push({
            name: found.name,
            each: one.each === true,
            constraint: found.instance,
            constraints: one.constraints as unknown[],
            condition: one.validateIf as Condition | undefined,
          });
        }
      } else if (one.type !== 'nestedValidation' && one.type !== 'whitelistValidation') {
        throw new Error(`${where}: ${one.type} is not supported`);
      }
    }
    fields.set(name, {
      name,
      optional,
      nullable: isNullable(dto, name),
      conditions,
      rules,
      emptyIsAbsent,
      readText,
      list:
        Reflect.getMetadata('design:type', dto.prototype as object, name) === Array ||
        rules.some((rule) => rule.name === 'isArray') ||
        own.some((one) => one.type === 'nestedValidation' && one.each === true),
      ...typesOf(
        dto,
        name,
        own.some((one) => one.type === 'nestedValidation'),
      ),
    });
  }
  if (fields.size === 0) throw new Error(`${dto.name} has no validation decorators, so it would refuse every field`);
  return { dto, fields, list: [...fields.values()] };
}

function typesOf(dto: DtoClass, name: string, nested: boolean): Pick<FieldPlan, 'nested' | 'nestedClass' | 'textType'> {
  const where = `${dto.name}.${name}`;
  if (transformer.findTransformMetadatas(dto, name, PLAIN_TO_CLASS).length > 0) {
    throw new Error(`${where}: @Transform is not supported; convert in the service`);
  }
  if (transformer.findExposeMetadata(dto, name) || transformer.findExcludeMetadata(dto, name)) {
    throw new Error(`${where}: @Expose and @Exclude are not supported`);
  }
  const type = transformer.findTypeMetadata(dto, name);
  if (type?.options?.discriminator) throw new Error(`${where}: discriminators are not supported`);
  const target = type?.typeFunction();
  if (nested) {
    if (typeof target !== 'function' || target === Number || target === Boolean || target === String) {
      throw new Error(`${where}: @ValidateNested() needs @Type(() => Class)`);
    }
    return { nested, nestedClass: () => target as DtoClass, textType: undefined };
  }
  return {
    nested,
    nestedClass: undefined,
    textType: target === Number ? 'number' : target === Boolean ? 'boolean' : undefined,
  };
}

/** Whether one value meets a rule. */
export function meets(rule: Rule, owner: object, field: string, value: unknown): boolean {
  const args: ValidationArguments = {
    value,
    constraints: rule.constraints,
    targetName: owner.constructor.name,
    object: owner,
    property: field,
  };
  if (!rule.each || !Array.isArray(value)) return rule.constraint.validate(value, args) === true;
  for (const item of value) if (rule.constraint.validate(item, args) !== true) return false;
  return true;
}

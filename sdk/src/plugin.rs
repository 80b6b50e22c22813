use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;

use crate::types::Finding;
use crate::{Remedy, Report, Result, run};

/// A plugin: a type that holds the parameters, and looks at the machine.
pub trait Detect: DeserializeOwned + JsonSchema {
    /// Looks, and changes nothing. Called again after `remediate`, in a fresh instance: so what is fixed is measured.
    fn detect(&self) -> Result<Report>;
}

/// A plugin that can also put right what it found.
pub trait Remediate: Detect {
    /// Deals with the findings that are remediable. Nothing is left of `detect` but these.
    fn remediate(&self, findings: &[Finding]) -> Result<Remedy>;
}

/// Makes a component of a type: `plugin!(Type: Detect)`, or `plugin!(Type: Detect + Remediate)`.
///
/// ```
/// use remit_sdk::prelude::*;
///
/// /// Finds everything in order.
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// #[serde(deny_unknown_fields)]
/// struct Optimist {}
///
/// impl Detect for Optimist {
///     fn detect(&self) -> Result<Report> {
///         Ok(Report::compliant("all is well"))
///     }
/// }
///
/// remit_sdk::plugin!(Optimist: Detect);
/// ```
///
/// What only detects cannot promise to remediate:
///
/// ```compile_fail,E0277
/// # use remit_sdk::prelude::*;
/// # #[derive(serde::Deserialize, schemars::JsonSchema)]
/// # struct Optimist {}
/// # impl Detect for Optimist {
/// #     fn detect(&self) -> Result<Report> {
/// #         Ok(Report::compliant("all is well"))
/// #     }
/// # }
/// remit_sdk::plugin!(Optimist: Detect + Remediate);
/// ```
#[macro_export]
macro_rules! plugin {
    ($plugin:ident: Detect) => {
        $crate::__guest!($plugin, Detect, __export_detect, {});
    };
    ($plugin:ident: Detect + Remediate) => {
        $crate::__guest!($plugin, Remediate, __export_remediate, {
            impl $crate::bindings::exports::msp::automation::remediation::Guest for Guest {
                fn remediate(findings: Vec<$crate::Finding>) -> Result<$crate::Remedy, $crate::types::Error> {
                    $crate::remediate::<$plugin>(&findings).map_err($crate::Error::into_contract)
                }
            }
        });
    };
}

/// A native build exports nothing: there, the plugin is a library that its tests use.
#[doc(hidden)]
#[macro_export]
macro_rules! __guest {
    ($plugin:ident, $bound:ident, $export:ident, { $($more:item)* }) => {
        const _: () = {
            const fn promises<T: $crate::$bound>() {}
            promises::<$plugin>();
        };
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            struct Guest;
            impl $crate::bindings::exports::msp::automation::detection::Guest for Guest {
                fn detect() -> Result<$crate::Report, $crate::types::Error> {
                    $crate::detect::<$plugin>().map_err($crate::Error::into_contract)
                }
            }
            impl $crate::bindings::exports::msp::automation::parameters::Guest for Guest {
                fn get_schema() -> String {
                    $crate::schema::<$plugin>()
                }
            }
            $($more)*
            $crate::$export!(Guest);
        };
    };
}

/// What the component's `detect` does.
pub fn detect<P: Detect>() -> Result<Report> {
    run::parameters::<P>()?.detect().map(Report::fit)
}

/// What the component's `remediate` does.
pub fn remediate<P: Remediate>(findings: &[Finding]) -> Result<Remedy> {
    run::parameters::<P>()?.remediate(findings).map(Remedy::fit)
}

/// What the component's `get-schema` answers. Sub-schemas are written where they are used, so that a person can read the label.
pub fn schema<P: JsonSchema>() -> String {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<P>().as_value().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::{Value, json};

    /// Keeps things in order.
    #[derive(Deserialize, JsonSchema)]
    #[serde(rename_all = "kebab-case", deny_unknown_fields)]
    #[expect(dead_code, reason = "only its schema is asked for")]
    struct Keeper {
        /// Where to look.
        root: String,
        /// Days until a file is old.
        #[serde(default = "thirty")]
        #[schemars(range(min = 1))]
        max_age_days: u32,
    }

    fn thirty() -> u32 {
        30
    }

    #[derive(Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Nothing {}

    fn schema_of<P: JsonSchema>() -> Value {
        serde_json::from_str(&schema::<P>()).unwrap()
    }

    #[test]
    fn the_schema_says_what_the_type_says() {
        let schema = schema_of::<Keeper>();
        assert_eq!(schema["description"], "Keeps things in order.");
        assert_eq!(schema["required"], json!(["root"]));
        assert_eq!(schema["additionalProperties"], json!(false));
        let days = &schema["properties"]["max-age-days"];
        assert_eq!((&days["default"], &days["minimum"]), (&json!(30), &json!(1)));
        assert_eq!(days["description"], "Days until a file is old.");
    }

    #[test]
    fn a_plugin_without_parameters_has_the_schema_of_the_empty_object() {
        let schema = schema_of::<Nothing>();
        assert_eq!((&schema["type"], &schema["additionalProperties"]), (&json!("object"), &json!(false)));
        assert!(schema.get("properties").is_none());
    }
}

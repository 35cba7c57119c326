// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Stands at the address of the OP-stack gas price oracle on purser's embedded chain.
/// @notice Answers with constants, so that code which adds the L1 data fee and the operator fee runs against the
/// embedded chain. The embedded chain itself charges neither.
contract GasPriceOracle {
    string public constant version = "purser-devchain-1";

    function getL1Fee(bytes memory data) external pure returns (uint256) {
        return 1_000_000 * data.length;
    }

    function getL1FeeUpperBound(uint256 unsignedTxSize) external pure returns (uint256) {
        return 2_000_000 * unsignedTxSize;
    }

    function getOperatorFee(uint256) external pure returns (uint256) {
        return 0;
    }
}
